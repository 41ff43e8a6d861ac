import type { RunController } from "../coordinator/run-controller.ts";
import type { Env, Timer } from "../env/env.ts";
import { grouped, tell } from "./terminal.ts";

const EVERY_MS = 5_000;

/** A line every five seconds: what has been done, what waits, what a source says of its size. */
export class ProgressLines {
  readonly #env: Env;
  readonly #known = new Map<string, { done: number; total: number | undefined }>();
  #timer: Timer | undefined;

  constructor(env: Env) {
    this.#env = env;
  }

  note(stage: string, done: number, total: number | undefined): void {
    this.#known.set(stage, { done, total });
  }

  start(controller: RunController): void {
    this.#timer = this.#env.timers.every(EVERY_MS, () => void this.#show(controller), { background: true });
  }

  async #show(controller: RunController): Promise<void> {
    if (controller.isOver) return;
    const stats = await controller.scan().catch(() => undefined);
    if (stats === undefined || controller.isOver) return;
    const parts = controller.deployment.shape.nodes.map(({ name, kind }) => {
      const counts = stats.counts[name] ?? {};
      const stream = stats.streams.find((known) => known.name === name);
      const known = this.#known.get(name);
      const done =
        kind === "source" ? (counts.emitted ?? 0) : (counts.completed ?? 0) + (counts.filtered ?? 0);
      const share =
        known?.total === undefined ? "" : ` (${Math.floor((100 * known.done) / Math.max(1, known.total))} %)`;
      const waiting =
        stream !== undefined && stream.unsettled > 0 ? `, ${grouped(stream.unsettled)} to do` : "";
      const dead = (counts.dead ?? 0) > 0 ? `, ${grouped(counts.dead ?? 0)} dead` : "";
      return `${name} ${grouped(done)}${share}${waiting}${dead}`;
    });
    tell(parts.join(" · "));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
