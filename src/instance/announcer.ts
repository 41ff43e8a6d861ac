import type { StreamConnection } from "../streams/connection.ts";
import { MESSAGE } from "../streams/protocol.ts";
import type { Credit } from "./credit.ts";
import type { ItemRef, WorkRange } from "./work.ts";

/** Items announced as begun in one message: about this much time of them. */
const BEGIN_MS = 48;
const MAX_BEGIN = 1_024;

/**
 * Tells the streams process which items the user's code is about to see, before it does: if the process dies
 * of one, the suspects are known. False means that the announcement has not left yet, and that `onRoom` will be
 * called when it has.
 */
export class Announcer {
  readonly #connection: () => StreamConnection | undefined;
  readonly #credit: Credit;
  readonly #onRoom: () => void;
  #beginSize = 1;

  constructor(connection: () => StreamConnection | undefined, credit: Credit, onRoom: () => void) {
    this.#connection = connection;
    this.#credit = credit;
    this.#onRoom = onRoom;
  }

  /** Announces the next items of a range; quick functions take many at once, slow ones one by one. */
  beginRange(range: WorkRange, isIdle: boolean): boolean {
    const connection = this.#connection();
    if (connection === undefined) return false;
    const costMs = this.#credit.costMs;
    const worth = costMs > 0 ? Math.max(1, Math.floor(BEGIN_MS / costMs)) : 1;
    this.#beginSize = Math.min(worth, this.#beginSize * 2, MAX_BEGIN);
    const size = isIdle ? this.#beginSize : 1;
    const to = Math.min(range.count, range.next + size);
    connection.send(MESSAGE.started, {
      ranges: [range.number, range.offset + range.next, range.offset + to],
    });
    range.begun = to;
    return this.#isAnnounced(connection);
  }

  /** Announces the items of one call. */
  begin(refs: readonly ItemRef[]): boolean {
    const connection = this.#connection();
    if (connection === undefined) return false;
    const ranges: number[] = [];
    for (const { range, index } of refs) {
      const place = range.offset + index;
      if (ranges.at(-3) === range.number && ranges.at(-1) === place) ranges[ranges.length - 1] = place + 1;
      else ranges.push(range.number, place, place + 1);
    }
    connection.send(MESSAGE.started, { ranges });
    return this.#isAnnounced(connection);
  }

  /** n.b. a message that is still in our own memory is lost when the process dies: wait until it has left. */
  #isAnnounced(connection: StreamConnection): boolean {
    if (connection.pendingBytes === 0) return true;
    connection.onceDrained(this.#onRoom);
    return false;
  }
}
