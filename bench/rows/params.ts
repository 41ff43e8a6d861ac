import type { StandardSchema } from "millrace";

export interface BenchParams {
  readonly items: number;
  /** The file for what the sink has to say. */
  readonly out: string;
}

export const params: StandardSchema<{ items: number | string; out: string }, BenchParams> = {
  "~standard": {
    version: 1,
    vendor: "bench",
    validate(value) {
      const { items, out } = value as { items?: unknown; out?: unknown };
      const count = Number(items);
      if (!Number.isSafeInteger(count) || typeof out !== "string")
        return { issues: [{ message: "items, out" }] };
      return { value: { items: count, out } };
    },
  },
};
