import type { RunController } from "../../coordinator/run-controller.ts";

/** What `millrace run` shows while it runs. Everything that it prints meanwhile goes through here. */
export interface RunDisplay {
  /** From now on the run is shown. */
  start(controller: RunController): void;
  /** How far a source or stage says that it is. */
  progress(stage: string, done: number, total: number | undefined): void;
  /** A line for people, on stderr. */
  say(level: "debug" | "info" | "warn" | "error", line: string): void;
  /** A line that user code has printed. */
  output(stream: "stdout" | "stderr", line: string): void;
  /** Nothing is shown any more; what was said has been printed. */
  stop(): void;
}
