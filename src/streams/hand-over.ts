import type { DiskRoom } from "./disk-room.ts";
import { stageOf } from "./lanes.ts";
import type { Peer } from "./peer.ts";
import type { TransactHead } from "./protocol.ts";

/** The stages that each stage feeds, but for those of its own cycle. */
export type StagesAhead = Readonly<Record<string, readonly string[]>>;

/**
 * What stages hand on while the disk is low. A stage that is faster than the one behind it would use up what was
 * kept free, and then nothing could be settled any more. So what it hands on waits until the stage behind it has worked off
 * what it has: sinks never wait, so that room comes back from the end.
 */
export class HandOver {
  ahead: StagesAhead = {};
  readonly #disk: DiskRoom;
  readonly #isIdle: (stage: string) => boolean;
  /** Those with something that waits, and the last of it. */
  readonly #lasts = new Map<Peer, Promise<void>>();
  #wakes: (() => void)[] = [];

  constructor(disk: DiskRoom, isIdle: (stage: string) => boolean) {
    this.#disk = disk;
    this.#isIdle = isIdle;
  }

  /** A transaction of a stage has come: calls `go` now, or when it may be done, in the order in which they came. */
  pass(peer: Peer, head: TransactHead, bytes: number, go: () => Promise<void>): void {
    const before = this.#lasts.get(peer);
    if (before === undefined && !this.#disk.isLow) {
      void go();
      return;
    }
    const last = (before ?? Promise.resolve()).then(async () => {
      while (this.#lasts.has(peer) && this.#mustWait(peer, head, bytes))
        await Promise.race([this.#disk.looked(), this.#woken()]);
      // n.b. what is handed on must be there before the next one looks whether there is something.
      await go();
      if (this.#lasts.get(peer) === last) this.#lasts.delete(peer);
    });
    this.#lasts.set(peer, last);
  }

  #mustWait({ hello, consumer }: Peer, { append }: TransactHead, bytes: number): boolean {
    if (hello === undefined || !this.#disk.isLow || this.#disk.isClosed) return false;
    const ahead = this.ahead[stageOf(hello.stage)];
    if (ahead === undefined || !Array.isArray(append) || append.length === 0) return false;
    if (!this.#disk.fits(bytes)) return true;
    // n.b. one that is drained has little time, and little left to hand on.
    if (consumer?.isLeaving === true) return false;
    return append.some((part) => {
      const stage = Array.isArray(part) && typeof part[0] === "string" ? stageOf(part[0]) : "";
      return ahead.includes(stage) && !this.#isIdle(stage);
    });
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakes.push(resolve);
    });
  }

  /** A stage has settled something: it may have nothing left to do. */
  settled(stage: string): void {
    if (this.#lasts.size > 0 && this.#isIdle(stage)) this.wake();
  }

  /** A stage has nothing left to do, say. */
  wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** The connection is closed: what waits of it is refused where it would be stored. */
  gone(peer: Peer): void {
    if (this.#lasts.delete(peer)) this.wake();
  }
}
