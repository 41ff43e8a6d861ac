import type { Env } from "../env/env.ts";
import { StreamError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { NOTHING, type StreamEngine } from "./contract.ts";
import { stageOf } from "./lanes.ts";
import type { TransactHead } from "./protocol.ts";
import type { Senders } from "./senders.ts";

/** A pusher that has not come back after this much time will not: what is known of it is forgotten. */
const FORGET_MS = 10 * 60_000;

/**
 * The streams that take items from outside, and which of them are closed.
 *
 * I1 Nothing that is sent after a close is stored; all that was sent before it is, before the close is durable.
 */
export class PushInputs {
  readonly #env: Env;
  readonly #engine: StreamEngine;
  readonly #senders: Pick<Senders, "isConnected">;
  readonly #onClosed: (stream: string) => void;
  readonly #isClosed = new Map<string, boolean>();

  constructor(
    env: Env,
    engine: StreamEngine,
    senders: Pick<Senders, "isConnected">,
    onClosed: (stream: string) => void,
  ) {
    this.#env = env;
    this.#engine = engine;
    this.#senders = senders;
    this.#onClosed = onClosed;
  }

  async open(stream: string): Promise<void> {
    if (this.#isClosed.has(stream)) return;
    const closed = await this.#engine.records.get(recordKeys.inputClosed(stream));
    this.#isClosed.set(stream, closed !== undefined);
    // Those who pushed in an earlier life of this process may come back, or not.
    const mark = recordKeys.sourceState("");
    const prefix = recordKeys.sourceState(recordKeys.pusher(stream, ""));
    const { entries } = await this.#engine.records.scan(prefix, undefined, 1_000);
    for (const { key } of entries) this.forgetLater(key.slice(mark.length));
  }

  isClosed(stream: string): boolean {
    return this.#isClosed.get(stream) === true;
  }

  async close(stream: string): Promise<void> {
    this.#checkOpen(stream, true);
    this.#isClosed.set(stream, true);
    const records = [{ key: recordKeys.inputClosed(stream), value: Buffer.of(1) }];
    await this.#engine.transact({ ...NOTHING, records });
    this.#onClosed(stream);
  }

  /** Throws StreamError MR_STREAM_UNKNOWN or MR_NOT_PUSHABLE when a pusher may not do this. */
  check(stage: string, head: TransactHead): void {
    if (!Array.isArray(head.append)) return;
    if (head.append.length > 0) this.#checkOpen(stage, false);
    for (const [stream] of head.append) {
      if (stageOf(stream) === stage) continue;
      throw new StreamError("MR_STREAM_UNKNOWN", `push to ${stage}: it is not to be stored in ${stream}`);
    }
  }

  #checkOpen(stream: string, mayBeClosed: boolean): void {
    const isClosed = this.#isClosed.get(stream);
    if (isClosed === undefined)
      throw new StreamError("MR_STREAM_UNKNOWN", `source ${stream}: it takes no items from outside`);
    if (isClosed && !mayBeClosed)
      throw new StreamError("MR_NOT_PUSHABLE", `source ${stream}: it has been closed; start a new run`);
  }

  /** Forgets how far a pusher came, unless it is there again by then. */
  forgetLater(pusher: string): void {
    const key = recordKeys.sourceState(pusher);
    const forget = async (): Promise<void> => {
      if (this.#senders.isConnected(pusher) || this.#engine.records.count(key) === 0) return;
      await this.#engine.records.delete(key);
    };
    this.#env.timers.after(FORGET_MS, () => void forget().catch(() => undefined), { background: true });
  }
}
