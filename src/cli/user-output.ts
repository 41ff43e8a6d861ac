import type { RunDisplay } from "./display/run-display.ts";

/**
 * What user code prints. To stdout it goes there for a pipeline; for a job it goes to stderr, since stdout is the job's
 * result. Until it is known which of them it is, such lines wait.
 */
export class UserOutput {
  readonly #display: RunDisplay;
  #waiting: string[] | undefined = [];
  #isJob = false;

  constructor(display: RunDisplay) {
    this.#display = display;
  }

  line(stream: "stdout" | "stderr", line: string): void {
    if (stream === "stdout" && this.#waiting !== undefined) this.#waiting.push(line);
    else this.#display.output(this.#isJob ? "stderr" : stream, line);
  }

  /** It is known now, or never will be. */
  settle(isJob: boolean): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#isJob ||= isJob;
    for (const line of waiting) this.line("stdout", line);
  }
}
