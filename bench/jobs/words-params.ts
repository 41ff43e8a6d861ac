import type { StandardSchema } from "millrace";

export interface WordsParams {
  /** The text file. */
  readonly text: string;
  readonly bytes: number;
  readonly chunk: number;
  /** The file for when split began. */
  readonly out: string;
}

export const wordsParams: StandardSchema<Record<keyof WordsParams, string | number>, WordsParams> = {
  "~standard": {
    version: 1,
    vendor: "bench",
    validate(value) {
      const { text, out, ...numbers } = value as Record<string, unknown>;
      const [bytes, chunk] = [Number(numbers.bytes), Number(numbers.chunk)];
      if (typeof text !== "string" || typeof out !== "string" || !(bytes > 0) || !(chunk > 0))
        return { issues: [{ message: "text, bytes, chunk, out" }] };
      return { value: { text, bytes, chunk, out } };
    },
  },
};
