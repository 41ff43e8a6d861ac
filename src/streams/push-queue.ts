import type { Env, Timer } from "../env/env.ts";
import { StreamError } from "../errors.ts";
import type { PushPlan } from "./push-frames.ts";

/** Items of one call of `push`. */
export interface WaitingPush {
  readonly items: readonly unknown[];
  readonly plan: PushPlan;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface PushQueueOptions {
  readonly env: Env;
  readonly source: string;
  /** After so much time a push is refused. */
  readonly patienceMs: number;
}

/** Pushes for which there is no room yet, in the order of their calls. */
export class PushQueue {
  readonly #options: PushQueueOptions;
  #pushes: { readonly push: WaitingPush; readonly since: number }[] = [];
  #timer: Timer | undefined;

  constructor(options: PushQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#pushes.length === 0;
  }

  add(push: WaitingPush): void {
    this.#pushes.push({ push, since: this.#options.env.clock.mono() });
    this.#watch();
  }

  /** Hands them on for as long as there is room. */
  drain(hasRoom: () => boolean, take: (push: WaitingPush) => void): void {
    let taken = 0;
    while (taken < this.#pushes.length && hasRoom())
      take((this.#pushes[taken++] as { push: WaitingPush }).push);
    if (taken > 0) this.#pushes.splice(0, taken);
    if (this.isEmpty) this.#unwatch();
  }

  #watch(): void {
    const { env, patienceMs } = this.#options;
    const [oldest] = this.#pushes;
    if (this.#timer !== undefined || oldest === undefined || !Number.isFinite(patienceMs)) return;
    const ms = Math.max(0, oldest.since + patienceMs - env.clock.mono());
    this.#timer = env.timers.after(ms, () => this.#expire(), { background: true });
  }

  #expire(): void {
    const { env, source, patienceMs } = this.#options;
    this.#timer = undefined;
    const now = env.clock.mono();
    while (this.#pushes[0] !== undefined && this.#pushes[0].since + patienceMs <= now) {
      this.#pushes
        .shift()
        ?.push.reject(
          new StreamError(
            "MR_BACKPRESSURE",
            `push to ${source}: for ${patienceMs / 1_000} s there was no room for it; wait and try again`,
          ),
        );
    }
    this.#watch();
  }

  #unwatch(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Takes all of them out. */
  splice(): WaitingPush[] {
    this.#unwatch();
    return this.#pushes.splice(0).map(({ push }) => push);
  }
}
