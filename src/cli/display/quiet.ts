import { tell } from "../terminal.ts";
import type { RunDisplay } from "./run-display.ts";

/** `--quiet`: what user code prints, and errors. */
export class Quiet implements RunDisplay {
  readonly #isJson: boolean;

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  start(): void {}
  progress(): void {}
  stop(): void {}

  say(level: "debug" | "info" | "warn" | "error", line: string): void {
    if (level === "error") tell(line);
  }

  output(stream: "stdout" | "stderr", line: string): void {
    process[this.#isJson ? "stderr" : stream].write(`${line}\n`);
  }
}
