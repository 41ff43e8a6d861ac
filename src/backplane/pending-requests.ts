import type { Timers } from "../env/env.ts";
import { BackplaneError } from "../errors.ts";
import { REQUEST_TIMEOUT_MS, type Reply, type RequestManyOptions } from "./contract.ts";

export interface PendingRequest {
  /** Resolves to the replies that came, when no more are awaited; rejects when the client is closed. */
  readonly done: Promise<Reply[]>;
  /** A reply; ignored when it is late. */
  add(reply: Reply): void;
  /** How many replies can come at most. */
  expect(replies: number): void;
}

/** A client's requests that are not answered yet. */
export class PendingRequests {
  readonly #timers: Timers;
  readonly #failures = new Set<(error: Error) => void>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  begin(options: RequestManyOptions): PendingRequest {
    const replies: Reply[] = [];
    let expected = options.max ?? Number.POSITIVE_INFINITY;
    let end = (): void => {};
    const done = new Promise<Reply[]>((resolve, reject) => {
      const timer = this.#timers.after(options.timeoutMs ?? REQUEST_TIMEOUT_MS, () => end());
      const stop = (): void => {
        timer.cancel();
        this.#failures.delete(fail);
      };
      const fail = (error: Error): void => {
        stop();
        reject(error);
      };
      end = () => {
        stop();
        resolve([...replies]); // a copy: what comes late is not slipped in
      };
      this.#failures.add(fail);
    });
    const endIfComplete = (): void => {
      if (replies.length >= expected) end();
    };
    return {
      done,
      add(reply) {
        replies.push(reply);
        endIfComplete();
      },
      expect(count) {
        expected = Math.min(expected, count);
        endIfComplete();
      },
    };
  }

  /** Fails all that are open. */
  fail(error: Error): void {
    for (const fail of this.#failures) fail(error);
  }
}

export function unreachablePeer(subject: string): BackplaneError {
  return new BackplaneError(
    "MR_UNREACHABLE_PEER",
    `request ${subject}: nobody is there to answer; see whether the process that should is running`,
    { retryable: true, details: { subject } },
  );
}

export function requestTimeout(subject: string, options: RequestManyOptions): BackplaneError {
  const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  return new BackplaneError(
    "MR_REQUEST_TIMEOUT",
    `request ${subject}: no reply within ${timeoutMs} ms; see whether the other side is running`,
    { retryable: true, details: { subject, timeoutMs } },
  );
}
