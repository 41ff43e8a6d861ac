import type { StreamEngine, StreamStats } from "./contract.ts";
import { Dispatcher } from "./dispatcher.ts";
import { laneCount, laneOf, lanesOf, stageOf } from "./lanes.ts";
import { openStage } from "./partitions.ts";
import type { OpenAsk, StreamReport } from "./protocol.ts";

/** The stages whose streams are open, each with the lanes of its stream. */
export class Stages {
  readonly #engine: StreamEngine;
  readonly #onSuspects: (stage: string, count: number) => void;
  readonly #dispatchers = new Map<string, Dispatcher>();
  /** The names of each stage's lanes: they are asked for with every transaction. */
  readonly #lanes = new Map<string, readonly string[]>();

  constructor(engine: StreamEngine, onSuspects: (stage: string, count: number) => void) {
    this.#engine = engine;
    this.#onSuspects = onSuspects;
  }

  async open(
    stages: readonly string[],
    { partitions = {}, former = {}, forgiving = [] }: Omit<OpenAsk, "streams"> = {},
  ): Promise<void> {
    for (const stage of stages) {
      if (this.#dispatchers.has(stage)) continue;
      const own = partitions[stage] ?? 0;
      await openStage(this.#engine, stage, own);
      const dispatcher = new Dispatcher({
        stage,
        partitions: own,
        former: former[stage] ?? [],
        isForgiving: forgiving.includes(stage),
        consume: (stream, onDelivery) => this.#engine.consume(stream, onDelivery, { inOrder: own > 0 }),
        onSuspects: (count) => this.#onSuspects(stage, count),
      });
      this.#dispatchers.set(stage, dispatcher);
      const lanes = lanesOf(stage, own);
      this.#lanes.set(stage, lanes);
      for (const stream of lanes) {
        if (this.#engine.stats(stream).unsettled > 0) dispatcher.openLane(laneOf(stream));
      }
    }
  }

  get(stage: string): Dispatcher | undefined {
    return this.#dispatchers.get(stage);
  }

  /** Whether something may be appended to a stream of this name; a lane that is not handed out yet is from now on. */
  isLane(stream: string): boolean {
    if (this.#dispatchers.has(stream)) return true;
    const dispatcher = this.#dispatchers.get(stageOf(stream));
    const lane = laneOf(stream);
    if (dispatcher === undefined || !(lane < laneCount(dispatcher.partitions))) return false;
    dispatcher.openLane(lane);
    return true;
  }

  /** Whether nothing of a stage is waiting, in hand or delayed. */
  isEmpty(stage: string): boolean {
    return this.#lanesOf(stage).every((stream) => this.#engine.stats(stream).unsettled === 0);
  }

  /** Whether there is nothing that it could work on now. */
  isIdle(stage: string): boolean {
    const { unsettled, delayed } = this.stats(stage);
    return unsettled - delayed === 0;
  }

  report(): StreamReport[] {
    return [...this.#dispatchers].map(([name, dispatcher]) => ({
      name,
      ...this.stats(name),
      claimed: dispatcher.claimed,
      suspects: dispatcher.suspects,
    }));
  }

  /** Of all lanes of a stage. */
  stats(stage: string): StreamStats {
    return addedUp(this.#lanesOf(stage).map((stream) => this.#engine.stats(stream)));
  }

  #lanesOf(stage: string): readonly string[] {
    return this.#lanes.get(stage) ?? lanesOf(stage, 0);
  }

  close(): void {
    for (const dispatcher of this.#dispatchers.values()) dispatcher.close();
  }
}

function addedUp(parts: readonly StreamStats[]): StreamStats {
  const sum = { unsettled: 0, bytes: 0, delayed: 0, appended: 0 };
  for (const { unsettled, bytes, delayed, appended } of parts) {
    sum.bytes += bytes;
    sum.unsettled += unsettled;
    sum.delayed += delayed;
    sum.appended += appended;
  }
  return sum;
}
