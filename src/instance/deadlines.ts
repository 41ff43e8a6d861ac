import type { Env, Timer } from "../env/env.ts";

/** A call in flight, as far as its time is concerned. */
export interface TimedCall {
  readonly startedAt: number;
  isSettled: boolean;
  timedOut: boolean;
}

interface DeadlineEvents<Call> {
  /** Its time is up: it is to be aborted. */
  onTimeout(call: Call): void;
  /** Its grace is over as well. */
  onStuck(call: Call): void;
}

/**
 * Time limits of the calls of one stage. All have the same limit, so that they expire in the order in which
 * they began: one timer serves them all.
 */
export class Deadlines<Call extends TimedCall> {
  readonly #env: Env;
  readonly #timeoutMs: number;
  readonly #graceMs: number;
  readonly #events: DeadlineEvents<Call>;
  #calls: Call[] = [];
  #late: Call[] = [];
  #timer: Timer | undefined;

  constructor(env: Env, timeoutMs: number, graceMs: number, events: DeadlineEvents<Call>) {
    this.#env = env;
    this.#timeoutMs = timeoutMs;
    this.#graceMs = graceMs;
    this.#events = events;
  }

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > 256) this.#calls = this.#calls.filter((known) => !known.isSettled);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const first = this.#next();
    if (first === undefined) return;
    const wait = Math.max(1, first - this.#env.clock.mono());
    this.#timer = this.#env.timers.after(wait, () => {
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    });
  }

  #next(): number | undefined {
    while (this.#calls[0]?.isSettled === true) this.#calls.shift();
    while (this.#late[0]?.isSettled === true) this.#late.shift();
    const [call] = this.#calls;
    const [late] = this.#late;
    const times = [
      ...(call === undefined ? [] : [call.startedAt + this.#timeoutMs]),
      ...(late === undefined ? [] : [late.startedAt + this.#timeoutMs + this.#graceMs]),
    ];
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #expire(): void {
    const now = this.#env.clock.mono();
    for (let call = this.#calls[0]; call !== undefined; call = this.#calls[0]) {
      if (!call.isSettled && call.startedAt + this.#timeoutMs > now) break;
      this.#calls.shift();
      if (call.isSettled) continue;
      call.timedOut = true;
      this.#late.push(call);
      this.#events.onTimeout(call);
    }
    for (let call = this.#late[0]; call !== undefined; call = this.#late[0]) {
      if (!call.isSettled && call.startedAt + this.#timeoutMs + this.#graceMs > now) break;
      this.#late.shift();
      if (!call.isSettled) this.#events.onStuck(call);
    }
  }

  /** Every call that has not settled. */
  each(visit: (call: Call) => void): void {
    for (const call of [...this.#late, ...this.#calls]) if (!call.isSettled) visit(call);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#calls = [];
    this.#late = [];
  }
}
