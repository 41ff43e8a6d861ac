import { expect, test } from "vitest";
import { definitionOf } from "../../src/definition/definition-of.ts";
import type { Definition } from "../../src/definition/shape.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { pipeline } from "../../src/index.ts";
import { Instance } from "../../src/instance/instance.ts";
import { newWatchState } from "../../src/instance/watch-state.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";
import { ItemEncoder } from "../../src/wire/item-codec.ts";
import { slowEngine } from "../support/slow-engine.ts";
import { largestCredit } from "../support/storm-run.ts";
import { SECRET, type StreamClient, streamBench, until } from "../support/stream-bench.ts";

const FRAME = 1_000;
const FRAMES = 60;

async function fill(source: StreamClient): Promise<void> {
  for (let frame = 0; frame < FRAMES; frame++) {
    const encoder = new ItemEncoder();
    const builder = new FrameBuilder();
    for (let i = 0; i < FRAME; i++) builder.add(encoder.encode(frame * FRAME + i));
    const bytes = builder.close(Buffer.alloc(12, frame), 0, 0, encoder.table);
    await source.transact({ append: [["sink", FRAME, 0, true]] }, [bytes]);
  }
}

test("while the disk confirms nothing, an instance calls no more items than its credit: so many come again if it dies", async () => {
  const { engine, hold } = await slowEngine();
  const bench = await streamBench(["sink"], engine);
  let calls = 0;
  const p = pipeline("window");
  p.source("feed", function* () {}).to(p.sink("sink", () => void calls++));
  const instance = new Instance({
    env: nodeEnv,
    definition: definitionOf(p) as Definition,
    run: "r",
    stage: "sink",
    instance: "sink.1.0",
    role: "worker",
    params: undefined,
    bundle: "",
    secret: SECRET,
    watch: newWatchState(),
    connect: () => nodeEnv.net.connect(bench.path),
    report: () => undefined,
  });
  try {
    await fill(await bench.client("feed", "feed-1", "source"));
    await instance.start();
    // It has learned by now how quick its function is.
    await until(() => calls > 5_000);
    const release = hold();
    const callsThen = calls;
    const inHand = engine.stats("sink").unsettled - (FRAMES * FRAME - calls);
    let before = -1;
    while (before !== calls) {
      before = calls;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(calls).toBeLessThan(FRAMES * FRAME);
    expect(calls - callsThen + inHand).toBeLessThanOrEqual(largestCredit(1e-6));

    release();
    await until(() => engine.stats("sink").unsettled === 0);
    expect(calls).toBe(FRAMES * FRAME);
  } finally {
    instance.abort();
    await instance.end();
    await bench.close();
  }
});
