import type { Pacing } from "../../definition/pacing.ts";
import type { Env, Timer } from "../../env/env.ts";
import { CorruptionError } from "../../errors.ts";
import { encodeMessage } from "../../wire/message.ts";
import type { StreamEngine, Transaction } from "../contract.ts";
import type { DiskRoom } from "../disk-room.ts";
import { stageOf } from "../lanes.ts";
import type { Peer } from "../peer.ts";
import {
  type FullHead,
  type GrantHead,
  MESSAGE,
  type StreamEvent,
  type TakeHead,
  type TransactHead,
} from "../protocol.ts";
import { Breakers } from "./breakers.ts";
import { Capacity, type Waiting } from "./capacity.ts";
import { Dedupe } from "./dedupe.ts";
import { RateBudget } from "./rate-budget.ts";
import { RateDesk, type RateTaker } from "./rate-desk.ts";

const LOOK_MS = 1_000;

/** What the stages of a run have asked for by their options of pacing, and what comes of it. */
export class Pacer {
  readonly #env: Env;
  readonly #engine: StreamEngine;
  readonly #tell: (event: StreamEvent) => void;
  readonly breakers: Breakers;
  readonly #dedupe = new Dedupe();
  readonly #rates = new Map<string, RateDesk>();
  readonly #capacity = new Capacity();
  readonly #stats: (stage: string) => Waiting;
  /** Those who may have to wait. */
  readonly #producers = new Set<Peer>();
  #look: Timer | undefined;
  readonly #takers = new Map<Peer, RateTaker>();
  readonly #disk: DiskRoom | undefined;

  constructor(
    env: Env,
    engine: StreamEngine,
    stats: (stage: string) => Waiting,
    tell: (event: StreamEvent) => void,
    disk?: DiskRoom,
  ) {
    this.#disk = disk;
    this.#env = env;
    this.#engine = engine;
    this.#stats = stats;
    this.#tell = tell;
    this.breakers = new Breakers(env, tell);
    disk?.onChange(() => this.#sayFullToAll());
  }

  /** In force when this resolves: before an item of these stages is taken. */
  async open(pacing: Readonly<Record<string, Pacing>>): Promise<void> {
    for (const [stage, { dedupe, rate, capacity, breaker }] of Object.entries(pacing)) {
      if (breaker !== undefined) this.breakers.set(stage, breaker);
      if (capacity !== undefined) this.#capacity.set(stage, capacity);
      if (rate !== undefined && !this.#rates.has(stage)) {
        const now = this.#env.clock.mono();
        // What an earlier life of this process has granted is not known: for one period nothing is made up for.
        const isFirstLife = this.#engine.counts().get(stage) === undefined;
        const budget = new RateBudget(rate, isFirstLife ? now : now + rate.perMs);
        this.#rates.set(stage, new RateDesk(this.#env, budget));
      }
      if (dedupe === undefined || this.#dedupe.has(stage)) continue;
      await this.#dedupe.open(stage, dedupe.windowMs, this.#env.clock, this.#engine.records, (keys) => {
        const message = `its dedupe remembers too many items: the oldest ${keys} are forgotten before windowMs is over`;
        this.#tell({ kind: "notice", stage, message });
      });
    }
    // What else settles items - a frame that is set aside, a dead letter that comes back - is seen in time.
    if (!this.#capacity.isUnlimited)
      this.#look ??= this.#env.timers.every(LOOK_MS, () => this.weigh(), { background: true });
  }

  /**
   * What is to be done of a transaction that places items: see {@link Dedupe.admit}. A `push` asks too; a replayed
   * dead letter does not.
   */
  admit(transaction: Transaction): Transaction {
    return this.#dedupe.admit(transaction);
  }

  /** An instance asks for parts of its stage's rate. Throws CorruptionError MR_PROTOCOL. */
  take(peer: Peer, { asks }: TakeHead): void {
    const desk = this.#rates.get(stageOf(peer.hello?.stage ?? ""));
    if (!Array.isArray(asks) || !asks.every(isAsk))
      throw new CorruptionError("MR_PROTOCOL", "stream connection: it takes parts of a rate that are none");
    if (desk === undefined) return;
    let taker = this.#takers.get(peer);
    if (taker === undefined) {
      taker = {
        grant: (key, items) =>
          peer.send(encodeMessage(MESSAGE.grant, { grants: [[key, items]] } satisfies GrantHead)),
      };
      this.#takers.set(peer, taker);
    }
    for (const [key, items] of asks) desk.ask(taker, key, items);
  }

  /** Whether as much waits for a stage as its `capacity` allows: nothing from outside its cycle is to be placed. */
  isFull(stage: string): boolean {
    return this.#capacity.isFull(stage);
  }

  /** An instance is connected. */
  joined(peer: Peer): void {
    this.breakers.joined(peer);
    this.feeds(peer);
  }

  /** Somebody is connected who places items: it is told what is full. */
  feeds(peer: Peer): void {
    if (this.#capacity.isUnlimited && this.#disk === undefined) return;
    this.#producers.add(peer);
    if (!this.#capacity.isUnlimited || this.#disk?.isLow === true) this.#sayFull(peer);
  }

  /** A transaction of an instance was stored. */
  stored(peer: Peer, head: TransactHead): void {
    this.breakers.settled(peer, head);
    this.weigh();
  }

  /** Something was stored or settled: producers are told what is full before they are told that it is stored. */
  weigh(): void {
    if (this.#capacity.isUnlimited) return;
    let hasChanged = false;
    for (const stage of this.#capacity.stages)
      if (this.#capacity.weigh(stage, this.#stats(stage))) hasChanged = true;
    if (hasChanged) this.#sayFullToAll();
  }

  #sayFullToAll(): void {
    for (const peer of this.#producers) this.#sayFull(peer);
  }

  #sayFull(peer: Peer): void {
    const head: FullHead = {
      stages: this.#capacity.full,
      ...(this.#disk?.isLow === true && { isDiskLow: true }),
    };
    peer.send(encodeMessage(MESSAGE.full, head));
  }

  /** A connection was closed. */
  gone(peer: Peer): void {
    this.breakers.gone(peer);
    this.#producers.delete(peer);
    const taker = this.#takers.get(peer);
    if (taker === undefined) return;
    this.#takers.delete(peer);
    for (const desk of this.#rates.values()) desk.gone(taker);
  }

  close(): void {
    this.#look?.cancel();
    this.breakers.close();
    for (const desk of this.#rates.values()) desk.close();
  }
}

const isAsk = (ask: unknown): boolean =>
  Array.isArray(ask) && typeof ask[0] === "string" && Number.isSafeInteger(ask[1]) && ask[1] > 0;
