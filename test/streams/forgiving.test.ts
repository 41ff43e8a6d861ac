import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { type Consumer, newConsumer } from "../../src/streams/consumer.ts";
import { type Mark, NOTHING } from "../../src/streams/contract.ts";
import { Dispatcher } from "../../src/streams/dispatcher.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";

const death = (kills: number): Mark => ({ kills, last: "signal SIGABRT", at: 1 });

function consumer(role: Consumer["role"], texts: string[], marks: Mark[]): Consumer {
  const taker = newConsumer({
    instance: role,
    role,
    passesOn: [],
    callsAtOnce: false,
    deliver: (ranges, frames) => {
      for (const frame of frames) texts.push(...textsOf(frame));
      for (const { m } of ranges) marks.push(...(m ?? []).map(([, mark]) => mark));
    },
  });
  taker.credit = 10;
  return taker;
}

/** Three items of which the second has been charged with two deaths and the third with a time-out. */
async function held(isForgiving: boolean): Promise<{ given: string[]; alone: string[]; marks: Mark[] }> {
  const { engine } = await EmbeddedEngine.open(nodeEnv, () => new MemoryLog(), "nothing");
  await engine.open("work");
  const frame = frameOf(["good", "killer", "slow"]);
  await engine.transact({
    ...NOTHING,
    appends: [{ stream: "work", frame, count: 3, delayMs: 0, isNew: true }],
  });
  await engine.transact({
    ...NOTHING,
    marks: [
      { stream: "work", frame: 1, place: 1, mark: death(2) },
      { stream: "work", frame: 1, place: 2, mark: { ...death(0), timedOut: true } },
    ],
  });
  const dispatcher = new Dispatcher({
    stage: "work",
    partitions: 0,
    isForgiving,
    consume: (stream, onDelivery) => engine.consume(stream, onDelivery),
    onSuspects: () => undefined,
  });
  const [given, alone, marks]: [string[], string[], Mark[]] = [[], [], []];
  dispatcher.join(consumer("worker", given, marks));
  dispatcher.join(consumer("suspect", alone, marks));
  dispatcher.dispatch();
  await expect.poll(() => given.length + alone.length).toBe(3);
  await engine.close();
  return { given, alone, marks };
}

test("what a stage's items did in an earlier life of the run decides their fate", async () => {
  const { given, alone, marks } = await held(false);
  expect(given).toEqual(["good", "killer", "slow"]);
  expect(alone).toEqual([]);
  expect(marks.map(({ kills, timedOut }) => [kills, timedOut === true])).toEqual([
    [2, false],
    [0, true],
  ]);
});

test("a stage that forgives gives such items another chance: one that killed runs alone, one death from its end", async () => {
  const { given, alone, marks } = await held(true);
  expect(given).toEqual(["good", "slow"]);
  expect(alone).toEqual(["killer"]);
  expect(marks).toEqual([death(1)]);
});
