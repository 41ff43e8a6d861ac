import { nodeEnv } from "../../src/env/node.ts";
import type { StreamEngine, Transaction } from "../../src/streams/contract.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";

export interface SlowEngine {
  readonly engine: StreamEngine;
  /** From now on nothing is confirmed, until what this gives back is called. */
  hold(): () => void;
}

/** An engine in memory whose disk is as slow as the test wants it to be. */
export async function slowEngine(): Promise<SlowEngine> {
  const { engine } = await EmbeddedEngine.open(nodeEnv, () => new MemoryLog(), "nothing");
  let gate: Promise<void> = Promise.resolve();
  return {
    engine: {
      capabilities: engine.capabilities,
      records: engine.records,
      open: (stream) => engine.open(stream),
      transact: async (transaction: Transaction) => {
        await gate;
        await engine.transact(transaction);
      },
      consume: (stream, onDelivery) => engine.consume(stream, onDelivery),
      stats: (stream) => engine.stats(stream),
      counts: () => engine.counts(),
      onQuarantine: (listener) => engine.onQuarantine(listener),
      onBlobFree: (listener) => engine.onBlobFree(listener),
      holdsBlob: (blob) => engine.holdsBlob(blob),
      close: () => engine.close(),
    },
    hold: () => {
      let release = (): void => undefined;
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
  };
}
