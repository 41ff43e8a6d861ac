import { AsyncLocalStorage } from "node:async_hooks";
import { clearTimeout, setTimeout } from "node:timers";

interface OpenCall {
  /** Timers of the virtual clock that the call waits for: then it waits for nothing real. */
  timers: number;
  /** It has stood still for too long: the clock goes on without it. */
  isStuck: boolean;
}

const current = new AsyncLocalStorage<OpenCall>();

/**
 * The user's functions that have begun and not ended. Virtual time must not pass while one waits for something
 * real - a file, a server, a timer of its own - or it would be late before it could be in time.
 */
export class UserCalls {
  /** All that were ever made. */
  made = 0;
  readonly #open = new Set<OpenCall>();
  readonly #patienceMs: number;
  #wake: (() => void) | undefined;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Calls a function of the user's, and follows what it gives back until that has settled. */
  track<T>(run: () => T): T {
    this.made++;
    const call: OpenCall = { timers: 0, isStuck: false };
    const value = current.run(call, run);
    const then = (value as { then?: unknown } | null | undefined)?.then;
    if (typeof then === "function") this.#follow(value as PromiseLike<unknown>, call);
    return value;
  }

  /** Follows something else that may wait for what is the user's. */
  follow(promise: PromiseLike<unknown>): void {
    this.#follow(promise, { timers: 0, isStuck: false });
  }

  #follow(promise: PromiseLike<unknown>, call: OpenCall): void {
    this.#open.add(call);
    const over = (): void => {
      this.#open.delete(call);
      this.wake();
    };
    promise.then(over, over);
  }

  /** To be called when a timer of the virtual clock is set; the answer, when it is gone. */
  onTimer(): (() => void) | undefined {
    const call = current.getStore();
    if (call === undefined) return undefined;
    call.timers++;
    return () => {
      call.timers--;
    };
  }

  /** Whether one of them waits for something real. */
  get areWaiting(): boolean {
    for (const call of this.#open) if (call.timers === 0 && !call.isStuck) return true;
    return false;
  }

  /** Something has happened: {@link progress} ends. */
  wake(): void {
    this.#wake?.();
  }

  /** Waits until something happens; gives those up that wait now when nothing does for so long. */
  async progress(): Promise<void> {
    if (await this.pause()) return;
    for (const call of this.#open) if (call.timers === 0) call.isStuck = true;
  }

  /** Waits as long; tells whether something has happened. */
  async pause(): Promise<boolean> {
    const happened = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), this.#patienceMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.#wake = undefined;
    return happened;
  }
}
