import type { RunController } from "../../coordinator/run-controller.ts";
import type { Env, Timer } from "../../env/env.ts";
import type { RunDisplay } from "./run-display.ts";
import { RunFigures } from "./run-figures.ts";
import { runTable } from "./run-table.ts";
import type { Screen } from "./screen.ts";
import type { Style } from "./style.ts";

/** Four times a second the table is painted, and what was printed meanwhile with it. */
const EVERY_MS = 250;
/** What user code prints is kept for a moment, so that a flood of lines is not a flood of paintings. */
const TOGETHER_MS = 50;
const TOGETHER_CHARACTERS = 64 * 1024;

/** Who prints where, beside the screen itself. */
export interface LiveTableOptions {
  readonly env: Env;
  readonly screen: Screen;
  readonly style: Style;
  /** stdout is a terminal as well: it is taken for the same one. Otherwise lines of stdout are none of the screen's. */
  readonly isStdoutShown: boolean;
  writeStdout(text: string): void;
}

/** The live table: on a terminal. */
export class LiveTable implements RunDisplay {
  readonly #options: LiveTableOptions;
  readonly #early = new Map<string, { done: number; total: number | undefined }>();
  #figures: RunFigures | undefined;
  #controller: RunController | undefined;
  #startedAt = 0;
  #isScanning = false;
  #lines: { stream: "stdout" | "stderr"; text: string }[] = [];
  #characters = 0;
  #printing: Timer | undefined;
  #painting: Timer | undefined;
  readonly #onResize = (): void => this.#paint();
  readonly #onContinue = (): void => {
    // The shell has written below the table while this process was stopped.
    this.#options.screen.forget();
    this.#paint();
  };

  constructor(options: LiveTableOptions) {
    this.#options = options;
  }

  start(controller: RunController): void {
    const { env } = this.#options;
    const { shape, run } = controller.deployment;
    this.#figures = new RunFigures(shape, run);
    for (const [stage, { done, total }] of this.#early) this.#figures.noteProgress(stage, done, total);
    this.#controller = controller;
    this.#startedAt = env.clock.mono();
    this.#painting = env.timers.every(EVERY_MS, () => this.#look(), { background: true });
    process.stderr.on("resize", this.#onResize);
    process.on("SIGCONT", this.#onContinue);
    this.#look();
  }

  progress(stage: string, done: number, total: number | undefined): void {
    if (this.#figures === undefined) this.#early.set(stage, { done, total });
    else this.#figures.noteProgress(stage, done, total);
  }

  say(level: "debug" | "info" | "warn" | "error", line: string): void {
    if (level === "debug") return;
    const { style } = this.#options;
    this.output("stderr", level === "error" ? style.red(line) : level === "warn" ? style.yellow(line) : line);
  }

  output(stream: "stdout" | "stderr", line: string): void {
    if (stream === "stdout" && !this.#options.isStdoutShown) {
      this.#options.writeStdout(`${line}\n`);
      return;
    }
    const text = `${harmless(line)}\n`;
    const last = this.#lines.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.#lines.push({ stream, text });
    this.#characters += text.length;
    if (this.#characters > TOGETHER_CHARACTERS || this.#painting === undefined) this.#print();
    else
      this.#printing ??= this.#options.env.timers.after(TOGETHER_MS, () => this.#print(), {
        background: true,
      });
  }

  stop(): void {
    if (this.#painting === undefined) return;
    this.#painting.cancel();
    this.#painting = undefined;
    process.stderr.off("resize", this.#onResize);
    process.off("SIGCONT", this.#onContinue);
    this.#controller = undefined;
    this.#options.screen.clear();
    this.#print();
  }

  #print(): void {
    this.#printing?.cancel();
    this.#printing = undefined;
    const lines = this.#lines;
    this.#lines = [];
    this.#characters = 0;
    if (lines.length === 0) return;
    const direct = this.#options.writeStdout;
    this.#options.screen.printAbove(
      lines.map(({ stream, text }) => (stream === "stdout" ? { text, direct } : { text })),
    );
  }

  #look(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    if (!this.#isScanning && !controller.isOver) {
      this.#isScanning = true;
      controller
        .scan()
        .then(
          (stats) => this.#figures?.note(this.#options.env.clock.mono(), stats),
          // n.b. the streams process may be on its way up again: the last figures stand until then.
          () => undefined,
        )
        .finally(() => {
          this.#isScanning = false;
        });
    }
    this.#paint();
  }

  #paint(): void {
    const controller = this.#controller;
    if (controller === undefined || this.#figures === undefined) return;
    const { env, screen, style } = this.#options;
    const view = this.#figures.view({
      status: controller.status,
      elapsedMs: env.clock.mono() - this.#startedAt,
      instancesOf: (stage) => controller.instancesOf(stage),
    });
    screen.paint(runTable(view, screen, style));
  }
}

/** Colours pass; whatever else would move the cursor or change the terminal is shown, not obeyed. */
function harmless(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const text = line.replace(/\u001b\[[\d;]*m|[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (found) =>
    found.length > 1 ? found : `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return text.includes("\u001b") ? `${text}\u001b[0m` : text;
}
