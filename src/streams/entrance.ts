import { bytesOf } from "../wire/bytes-of.ts";
import { encodeMessage, type Message } from "../wire/message.ts";
import type { DiskRoom } from "./disk-room.ts";
import { HandOver } from "./hand-over.ts";
import type { Peer } from "./peer.ts";
import { MESSAGE, type StreamEvent, type TransactHead } from "./protocol.ts";
import { isSender } from "./senders.ts";
import type { Stages } from "./stages.ts";

const LOW = "the disk is low: sources wait, pushes are refused, stored items go on";
const ENOUGH = "the disk has room again: sources go on";

/**
 * Where items come in from outside. While the disk is low they are told to stay away; what was on its way then is
 * still stored, down to the second watermark; there it waits.
 */
export class Entrance {
  readonly #disk: DiskRoom | undefined;
  /** Of what stages hand on; undefined where no disk is watched. */
  readonly handOver: HandOver | undefined;
  /** Those who wait, and the last of them. */
  #waiting = 0;
  #last: Promise<void> | undefined;

  constructor(
    disk: DiskRoom | undefined,
    stages: Pick<Stages, "isIdle">,
    tell: (event: StreamEvent) => void,
  ) {
    this.#disk = disk;
    this.handOver = disk && new HandOver(disk, (stage) => stages.isIdle(stage));
    disk?.onChange(() => tell(this.#event));
  }

  get #event(): StreamEvent {
    const disk = this.#disk as DiskRoom;
    if (disk.isLow) return { kind: "disk", state: "low", what: `${LOW}; ${disk.text}` };
    return { kind: "disk", state: "enough", what: `${ENOUGH}; ${disk.text}` };
  }

  /** A control connection was welcomed: it is told what it has missed. */
  greet(peer: Peer): void {
    if (this.#disk?.isLow === true) peer.send(encodeMessage(MESSAGE.event, this.#event));
  }

  /** A transaction has come: calls `go` now, or when it may be done, in the order in which they came. */
  pass(peer: Peer, { head, blobs }: Message, go: () => Promise<void>): void {
    const disk = this.#disk;
    const { hello } = peer;
    if (disk === undefined || hello === undefined) {
      void go();
      return;
    }
    const bytes = bytesOf(blobs);
    if (!isSender(hello)) {
      this.handOver?.pass(peer, head as TransactHead, bytes, () => {
        disk.expect(bytes);
        return go().finally(() => disk.wrote(bytes));
      });
    } else if (this.#last !== undefined || !disk.admit(bytes)) this.#queue(disk, bytes, go);
    else void go().finally(() => disk.wrote(bytes));
  }

  #queue(disk: DiskRoom, bytes: number, go: () => Promise<void>): void {
    this.#waiting++;
    const before = this.#last ?? Promise.resolve();
    this.#last = before.then(async () => {
      while (!disk.isClosed && !disk.admit(bytes)) await disk.looked();
      if (--this.#waiting === 0) this.#last = undefined;
      void go().finally(() => disk.wrote(bytes));
    });
  }
}
