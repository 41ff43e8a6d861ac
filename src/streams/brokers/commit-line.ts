import type { Commit, CommitLog } from "../embedded/commit-log.ts";
import type { EntryHead } from "../embedded/ledger-entry.ts";

interface InLine extends Commit {
  /** Publications that the broker has not confirmed. */
  left: number;
}

/**
 * Transactions whose frames are on their way to the broker. Each goes on to the log when its own are confirmed and
 * all before it have gone: one without frames waits for those before it, never for a later one.
 */
export class CommitLine {
  readonly #commits: CommitLog;
  readonly #onRefused: (stream: string, frame: number) => void;
  #line: InLine[] = [];

  /** `onRefused` is told of each frame that was published, or is on its way, and will never live. */
  constructor(commits: CommitLog, onRefused: (stream: string, frame: number) => void) {
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
    });
  }

  #advance(): void {
    for (let first = this.#line[0]; first?.left === 0; first = this.#line[0]) {
      this.#line.shift();
      this.#commits.add(first);
    }
  }

  /** What came later may build on what was refused, and must not become durable without it. */
  #fail(error: unknown): void {
    const line = this.#line;
    this.#line = [];
    for (const entry of line) entry.reject(error);
  }
}
