import type { RunResult } from "./run-result.ts";

/** Something that happened in a run. */
export type RunEvent =
  | {
      readonly kind: "status";
      /** Wall clock, milliseconds since 1970. */
      readonly at: number;
      readonly status: "running" | "paused" | "draining" | RunResult["status"];
    }
  | {
      readonly kind: "instance-started";
      readonly at: number;
      readonly stage: string;
      readonly instance: string;
    }
  | {
      readonly kind: "instance-ended";
      readonly at: number;
      readonly stage: string;
      readonly instance: string;
      /** `drained`, `crashed`, `killed`, `hung`, `source-done`, `setup-failed` or `source-failed`. */
      readonly cause: string;
    }
  | {
      readonly kind: "stage";
      readonly at: number;
      readonly stage: string;
      readonly status: "running" | "paused" | "stopped" | "completed";
    }
  | { readonly kind: "scaled"; readonly at: number; readonly stage: string; readonly instances: number };

type WithoutTime<Event> = Event extends RunEvent ? Omit<Event, "at"> : never;

/** An event before it is known when it happened. */
export type RunHappening = WithoutTime<RunEvent>;
