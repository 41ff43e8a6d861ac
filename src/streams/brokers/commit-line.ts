import type { Env, Timer } from "../../env/env.ts";
import type { Commit, CommitLog } from "../embedded/commit-log.ts";
import type { EntryHead } from "../embedded/ledger-entry.ts";
import { touchesOf } from "./touches.ts";

const LOOK_MS = 1_000;

interface InLine extends Commit {
  /** Publications that the broker has not confirmed. */
  left: number;
  /** Once it was asked for. */
  touches?: ReadonlySet<string>;
}

/**
 * Transactions whose frames are on their way to the broker.
 *
 * T1 Each goes on to the log when its own frames are confirmed and all before it have gone: one without frames waits
 *    for those before it, never for a later one.
 * T2 When the first has waited long, its queue may be full, and only settlements behind it make room there. Then one
 *    goes past those that wait with which it has nothing in common, see {@link touchesOf}; each stage's settlements
 *    still take effect in their order, and so do the frames of each stream.
 */
export class CommitLine {
  readonly #commits: CommitLog;
  readonly #onRefused: (stream: string, frame: number) => void;
  readonly #env: Env;
  #timer: Timer | undefined;
  #line: InLine[] = [];
  /** The first at the last look. */
  #firstBefore: InLine | undefined;
  /** Until all have gone. */
  #isStuck = false;

  /** `onRefused` is told of each frame that was published, or is on its way, and will never live. */
  constructor(env: Env, commits: CommitLog, onRefused: (stream: string, frame: number) => void) {
    this.#env = env;
    this.#commits = commits;
    this.#onRefused = onRefused;
  }

  add(head: EntryHead, blobs: readonly Uint8Array[], publications: readonly Promise<void>[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown): void => {
        for (const [stream, frame] of head.q ?? []) this.#onRefused(stream, frame);
        reject(error);
        this.#fail(error);
      };
      const entry: InLine = { head, blobs, resolve, reject: refuse, left: publications.length };
      this.#line.push(entry);
      for (const publication of publications) {
        publication.then(
          () => {
            if (--entry.left === 0) this.#advance();
          },
          (error: unknown) => this.#fail(error),
        );
      }
      if (entry.left === 0) this.#advance();
      else this.#timer ??= this.#lookLater();
    });
  }

  #advance(): void {
    for (let first = this.#line[0]; first?.left === 0; first = this.#line[0]) {
      this.#line.shift();
      this.#commits.add(first);
    }
    if (this.#line.length === 0) this.#isStuck = false;
    else if (this.#isStuck) this.#letPass();
  }

  #lookLater(): Timer {
    return this.#env.timers.after(LOOK_MS, () => this.#look(), { background: true });
  }

  #look(): void {
    const [first] = this.#line;
    if (first !== undefined && first === this.#firstBefore) this.#isStuck = true;
    this.#firstBefore = first;
    if (this.#isStuck) this.#letPass();
    this.#timer = first === undefined ? undefined : this.#lookLater();
  }

  #letPass(): void {
    const waiting: InLine[] = [];
    const touched = new Set<string>();
    for (const entry of this.#line) {
      entry.touches ??= touchesOf(entry.head);
      const { left, touches } = entry;
      if (left === 0 && ![...touches].some((touch) => touched.has(touch))) this.#commits.add(entry);
      else {
        waiting.push(entry);
        for (const touch of touches) touched.add(touch);
      }
    }
    this.#line = waiting;
  }

  /** What came later may build on what was refused, and must not become durable without it. */
  #fail(error: unknown): void {
    const line = this.#line;
    this.#line = [];
    for (const entry of line) entry.reject(error);
  }

  close(): void {
    this.#timer?.cancel();
  }
}
