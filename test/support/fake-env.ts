import type { Disk, Env, Timer } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";

interface Pending {
  readonly at: number;
  readonly fire: () => void;
  isCancelled: boolean;
}

/** A world with a disk of the test's making, and time that passes when the test says so. */
export interface FakeEnv extends Env {
  /** Lets `ms` pass; fires what falls due, in order. */
  advance(ms: number): void;
  /** Timers that would still fire. */
  readonly timersPending: number;
}

export function fakeEnv(disk: Disk): FakeEnv {
  let now = 0;
  let pending: Pending[] = [];
  const after = (ms: number, fire: () => void): Timer => {
    const timer: Pending = { at: now + Math.max(0, ms), fire, isCancelled: false };
    pending.push(timer);
    return {
      cancel: () => {
        timer.isCancelled = true;
      },
    };
  };
  return {
    ...nodeEnv,
    disk,
    clock: { now: () => 1_000_000 + now, mono: () => now },
    timers: {
      after,
      every: () => ({ cancel: () => undefined }),
      soon: (fire) => queueMicrotask(fire),
      sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = pending
          .filter((timer) => !timer.isCancelled && timer.at <= end)
          .sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        pending = pending.filter((timer) => timer !== next && !timer.isCancelled);
        now = Math.max(now, next.at);
        next.fire();
      }
      now = end;
    },
    get timersPending() {
      return pending.filter((timer) => !timer.isCancelled).length;
    },
  };
}
