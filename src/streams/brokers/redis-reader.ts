import type { Redis } from "ioredis";
import type { Env } from "../../env/env.ts";
import type { Intake } from "./broker.ts";
import type { RedisArrival, RedisEntry, RedisQueue } from "./redis-queue.ts";

/** Entries asked for at once, a queue. */
const MAX_COUNT = 128;
/** Without the right to end our own wait a wait is as short as this. */
const SHORT_WAIT_MS = 100;

export interface ReaderParts {
  readonly env: Env;
  readonly group: string;
  /** One name over all lives: what the last one had in its hands is ours, and is asked for first. */
  readonly consumer: string;
  /** A connection of its own: it waits in the server. */
  readonly client: Redis;
  /** How long a read waits in the server when there is nothing. */
  readonly waitMs: number;
  /** Ends the reader's wait in the server by another connection; false where it was not waiting. */
  unblock(clientId: number): Promise<boolean>;
  /** Resolves when the server has forgotten what was acknowledged before. */
  settled(): Promise<void>;
  onFailed(error: Error): void;
}

/** One queue that is being read. */
class RedisIntake implements Intake {
  readonly queue: RedisQueue;
  readonly onArrival: (arrival: RedisArrival) => void;
  readonly #onChange: (intake: RedisIntake) => void;
  #limit = 0;
  isClosed = false;
  /** Behind this entry of our own pending ones; undefined: all of those have been read. */
  cursor: string | undefined = "0";
  isSwept = false;

  constructor(
    queue: RedisQueue,
    onArrival: (arrival: RedisArrival) => void,
    onChange: (intake: RedisIntake) => void,
  ) {
    this.queue = queue;
    this.onArrival = onArrival;
    this.#onChange = onChange;
  }

  get room(): number {
    return this.isClosed ? 0 : Math.max(0, Math.min(MAX_COUNT, this.#limit - this.queue.inHand.size));
  }

  limit(messages: number): void {
    this.#limit = messages;
    this.#onChange(this);
  }

  close(): void {
    this.isClosed = true;
    this.#onChange(this);
  }

  readonly changed = (): void => this.#onChange(this);
}

/**
 * Reads all queues of a session over one connection, since a stage ordered by key has a queue for each partition.
 *
 * D1 What a lost session had in its hands comes first, in order; then what is new.
 * D2 A read that a dying connection left behind in the server may have taken entries after D1 has looked: once such
 *    reads must have ended, what nobody has in hand is claimed.
 */
export class RedisReader {
  readonly #parts: ReaderParts;
  readonly #intakes = new Set<RedisIntake>();
  readonly #sweepAt: number;
  #clientId = 0;
  #canUnblock = true;
  /** The queues of the read that waits in the server. */
  #waiting: ReadonlySet<RedisIntake> | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#sweepAt = parts.env.clock.mono() + 2 * parts.waitMs;
  }

  async start(): Promise<void> {
    this.#clientId = await this.#parts.client.client("ID").catch(() => {
      this.#canUnblock = false;
      return 0;
    });
    void this.#run().catch((error: Error) => {
      if (!this.#isOver) this.#parts.onFailed(error);
    });
  }

  read(queue: RedisQueue, onArrival: (arrival: RedisArrival) => void): Intake {
    const intake = new RedisIntake(queue, onArrival, (changed) => this.#changed(changed));
    this.#intakes.add(intake);
    return intake;
  }

  /** Whether a read is under way: then the connection shows by itself that it lives. */
  get isReading(): boolean {
    return this.#wake === undefined;
  }

  /** The queue is about to be removed. */
  forget(queue: RedisQueue): void {
    for (const intake of this.#intakes) {
      if (intake.queue !== queue) continue;
      intake.isClosed = true;
      this.#intakes.delete(intake);
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  #changed(intake: RedisIntake): void {
    if (intake.isClosed) this.#intakes.delete(intake);
    if (intake.room === 0) return;
    this.#wake?.();
    if (this.#waiting?.has(intake) === false) void this.#unblock();
  }

  async #unblock(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!this.#canUnblock) return;
    try {
      // The command may overtake the read that it is to end.
      while (!(await this.#parts.unblock(this.#clientId)) && this.#current === waiting)
        await this.#parts.env.timers.sleep(1);
    } catch {
      // n.b. forbidden to this user, or the session is lost: then the reader knows it, too.
      this.#canUnblock = false;
    }
  }

  /** As {@link #waiting}, also while the end of the wait has been asked for. */
  #current: ReadonlySet<RedisIntake> | undefined;

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const open = [...this.#intakes].filter((intake) => intake.room > 0);
      const behind = open.find((intake) => intake.cursor !== undefined);
      if (open.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        // What else is acknowledged in this tick makes room for the same read.
        await new Promise<void>((resolve) => this.#parts.env.timers.soon(resolve));
      } else if (behind !== undefined) await this.#readPending(behind);
      else await this.#readNew(open);
      if (this.#parts.env.clock.mono() >= this.#sweepAt) await this.#sweep();
    }
  }

  async #readPending(intake: RedisIntake): Promise<void> {
    const entries = (await this.#read([intake], intake.room, "", intake.cursor ?? "0"))[0]?.[1] ?? [];
    if (entries.length === 0) intake.cursor = undefined;
    else intake.cursor = entries.at(-1)?.[0].toString("latin1");
    this.#handOut(intake, entries);
  }

  async #readNew(open: readonly RedisIntake[]): Promise<void> {
    const byRoom = new Map<number, RedisIntake[]>();
    for (const intake of open) {
      // n.b. in powers of two: rooms differ by a few entries all the time.
      const room = 2 ** Math.floor(Math.log2(intake.room));
      const alike = byRoom.get(room);
      if (alike === undefined) byRoom.set(room, [intake]);
      else alike.push(intake);
    }
    if (byRoom.size > 1) {
      const reads = [...byRoom].map(([room, alike]) => this.#readInto(alike, room, ""));
      const counts = await Promise.all(reads);
      if (counts.some((count) => count > 0)) return;
    }
    this.#waiting = this.#current = new Set(open);
    try {
      await this.#readInto(open, Math.min(...byRoom.keys()), "BLOCK");
    } finally {
      this.#waiting = this.#current = undefined;
    }
  }

  async #readInto(intakes: readonly RedisIntake[], count: number, block: "" | "BLOCK"): Promise<number> {
    let taken = 0;
    for (const [name, entries] of await this.#read(intakes, count, block, ">")) {
      const intake = intakes.find(({ queue }) => queue.name === name.toString());
      if (intake !== undefined) this.#handOut(intake, entries);
      taken += entries.length;
    }
    return taken;
  }

  async #read(
    intakes: readonly RedisIntake[],
    count: number,
    block: "" | "BLOCK",
    from: string,
  ): Promise<readonly (readonly [queue: Buffer, entries: readonly RedisEntry[]])[]> {
    const waitMs = this.#canUnblock ? this.#parts.waitMs : SHORT_WAIT_MS;
    const names = intakes.map(({ queue }) => queue.name);
    const { group, consumer } = this.#parts;
    const args = ["GROUP", group, consumer, "COUNT", count, ...(block === "" ? [] : [block, waitMs])];
    try {
      const streams = await this.#parts.client.callBuffer("XREADGROUP", [
        ...args,
        "STREAMS",
        ...names,
        ...names.map(() => from),
      ]);
      return (streams as [Buffer, RedisEntry[]][] | null) ?? [];
    } catch (error) {
      // A queue was removed while it was being read: the others go on.
      if (intakes.some((intake) => !this.#intakes.has(intake))) return [];
      throw error;
    }
  }

  #handOut(intake: RedisIntake, entries: readonly RedisEntry[]): void {
    for (const entry of entries) {
      // n.b. what comes too late stays with us in the server, and comes first the next time.
      if (intake.isClosed) return;
      const arrival = intake.queue.take(entry, intake.changed);
      if (arrival !== undefined) intake.onArrival(arrival);
    }
  }

  async #sweep(): Promise<void> {
    for (const intake of this.#intakes) {
      if (intake.isSwept || intake.cursor !== undefined) continue;
      intake.isSwept = true;
      await this.#claimStrays(intake);
    }
  }

  async #claimStrays(intake: RedisIntake): Promise<void> {
    const { client, settled, group, consumer } = this.#parts;
    const { name, inHand } = intake.queue;
    await settled();
    const before = new Set(inHand);
    for (let from = "-"; ; ) {
      const pending = (await client.xpending(name, group, from, "+", 1_000)) as [id: string][];
      const strays = pending.map(([id]) => id).filter((id) => !before.has(id));
      if (strays.length > 0) {
        const claimed = await client.callBuffer("XCLAIM", [name, group, consumer, 0, ...strays]);
        this.#handOut(
          intake,
          (claimed as (RedisEntry | null)[]).filter((entry) => entry !== null),
        );
      }
      const last = pending.at(-1)?.[0];
      if (last === undefined || pending.length < 1_000) return;
      from = `(${last}`;
    }
  }
}
