import type { Env } from "../../env/env.ts";
import { StreamError } from "../../errors.ts";
import type { BrokerSession } from "./broker.ts";

/** One session with what is known of its end: calls that would never settle after it are given up. */
export class SessionLife {
  readonly session: BrokerSession;
  readonly since: number;
  readonly #env: Env;
  readonly #calls = new Set<(problem: Error) => void>();
  #isOver = false;

  constructor(env: Env, session: BrokerSession) {
    this.#env = env;
    this.session = session;
    this.since = env.clock.mono();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(problem: Error): void {
    this.#isOver = true;
    for (const giveUp of this.#calls) giveUp(problem);
    this.#calls.clear();
  }

  /** What a call of the session gives; rejects when the session is lost, or it takes longer than `limitMs`. */
  ask<T>(call: (session: BrokerSession) => Promise<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (problem: Error): void => {
        timer.cancel();
        this.#calls.delete(giveUp);
        reject(problem);
      };
      const { server } = this.session;
      const late = (): void =>
        giveUp(new StreamError("MR_ENGINE_UNREACHABLE", `${server}: no answer within ${limitMs} ms`));
      const timer = this.#env.timers.after(limitMs, late, { background: true });
      this.#calls.add(giveUp);
      call(this.session).then(
        (value) => {
          timer.cancel();
          this.#calls.delete(giveUp);
          resolve(value);
        },
        (error: unknown) => giveUp(error as Error),
      );
    });
  }
}
