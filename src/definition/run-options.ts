import type { RunResult } from "./run-result.ts";

export interface RunOptions<Params extends object = Record<string, unknown>> {
  /** As the pipeline's schema asks for them; checked before anything starts. */
  readonly params?: Readonly<Params>;
  /** Data directory; default `.millrace` in the working directory. */
  readonly data?: string;
  /** `file:` (default) or `memory:`. */
  readonly streams?: string;
  /** Processes by stage; default 1 each. */
  readonly instances?: Readonly<Record<string, number>>;
  /** `auto` (default) goes on with an unfinished run of the same params; a run's name with that one. */
  readonly resume?: "auto" | "new" | (string & {});
  /** Stops the run, drained. */
  readonly signal?: AbortSignal;
}

export interface RunStatus {
  readonly run: string;
  readonly status: "running" | RunResult["status"];
  readonly stages: RunResult["stages"];
}

/** A run that was started. */
export interface Handle {
  readonly run: string;
  /** Resolves when the run is over. */
  readonly done: Promise<RunResult>;
  status(): Promise<RunStatus>;
  /** Finishes what is in hand and stops; with `now` at once. What is unfinished is kept. */
  stop(how?: { readonly now?: boolean }): Promise<void>;
}
