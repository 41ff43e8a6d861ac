import type { RunController } from "../../coordinator/run-controller.ts";
import type { Env, Timer } from "../../env/env.ts";
import { tell } from "../terminal.ts";
import type { RunDisplay } from "./run-display.ts";
import { RunFigures } from "./run-figures.ts";
import { runLine } from "./run-line.ts";
import type { Style } from "./style.ts";

const EVERY_MS = 5_000;
/** Rates are made of looks that are closer together than lines. */
const LOOK_MS = 1_000;

/** A line every five seconds: where nothing can be repainted. */
export class ProgressLines implements RunDisplay {
  readonly #env: Env;
  readonly #style: Style;
  readonly #isJson: boolean;
  readonly #early = new Map<string, { done: number; total: number | undefined }>();
  #figures: RunFigures | undefined;
  #timer: Timer | undefined;
  #looks = 0;
  #startedAt = 0;

  constructor(env: Env, style: Style, isJson: boolean) {
    this.#env = env;
    this.#style = style;
    this.#isJson = isJson;
  }

  start(controller: RunController): void {
    const { shape, run } = controller.deployment;
    const figures = new RunFigures(shape, run);
    for (const [stage, { done, total }] of this.#early) figures.noteProgress(stage, done, total);
    this.#figures = figures;
    this.#startedAt = this.#env.clock.mono();
    this.#timer = this.#env.timers.every(LOOK_MS, () => void this.#look(controller, figures), {
      background: true,
    });
  }

  async #look(controller: RunController, figures: RunFigures): Promise<void> {
    if (controller.isOver) return;
    const stats = await controller.scan().catch(() => undefined);
    if (stats === undefined || controller.isOver || this.#timer === undefined) return;
    const now = this.#env.clock.mono();
    figures.note(now, stats);
    if (++this.#looks % (EVERY_MS / LOOK_MS) !== 0) return;
    const view = figures.view({
      status: controller.status,
      elapsedMs: now - this.#startedAt,
      instancesOf: (stage) => controller.instancesOf(stage),
    });
    tell(runLine(view));
  }

  progress(stage: string, done: number, total: number | undefined): void {
    if (this.#figures === undefined) this.#early.set(stage, { done, total });
    else this.#figures.noteProgress(stage, done, total);
  }

  say(level: "debug" | "info" | "warn" | "error", line: string): void {
    if (level === "debug") return;
    const { red, yellow } = this.#style;
    tell(level === "error" ? red(line) : level === "warn" ? yellow(line) : line);
  }

  /** What user code prints to stdout is the command's own output, unless stdout is promised to be one JSON document. */
  output(stream: "stdout" | "stderr", line: string): void {
    process[this.#isJson ? "stderr" : stream].write(`${line}\n`);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
