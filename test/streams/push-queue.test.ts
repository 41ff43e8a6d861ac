import { pipeline, push } from "millrace";
import { expect, test } from "vitest";
import { definitionOf } from "../../src/definition/definition-of.ts";
import { pacingByStage } from "../../src/definition/pacing.ts";
import { shapeOf } from "../../src/definition/shape-of.ts";
import { PushQueue } from "../../src/streams/push-queue.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { fakeEnv } from "../support/fake-env.ts";

test("a push that has waited for its time is refused, those behind it in their turn, and what is taken before is not", () => {
  const env = fakeEnv(new FakeDisk(seededChance(1)));
  const queue = new PushQueue({ env, source: "feed", patienceMs: 30_000 });
  const seen: string[] = [];
  const add = (name: string): void =>
    queue.add({
      items: [name],
      plan: { delayMs: 0, lane: 0, meta: undefined },
      resolve: () => seen.push(`${name} taken`),
      reject: (error) => seen.push(`${name} ${(error as { code?: string }).code}`),
    });
  add("a");
  env.advance(10_000);
  add("b");
  add("c");
  env.advance(19_999);
  expect(seen).toEqual([]);
  env.advance(1);
  expect(seen).toEqual(["a MR_BACKPRESSURE"]);
  let room = 1;
  queue.drain(
    () => room-- > 0,
    (waiting) => waiting.resolve(),
  );
  env.advance(10_000);
  expect(seen).toEqual(["a MR_BACKPRESSURE", "b taken", "c MR_BACKPRESSURE"]);
  expect([queue.isEmpty, env.timersPending]).toEqual([true, 0]);
});

test("a push source is bounded by the tightest capacity that it feeds, by its own where it has one; elsewhere the disk is the limit", () => {
  const p = pipeline("bounded");
  const limited = p.sink("limited", (_: number) => undefined, { capacity: { items: 10 } });
  const free = p.sink("free", (_: number) => undefined);
  const light = p.sink("light", (_: number) => undefined, { capacity: { items: 30, bytes: "2KB" } });
  p.source("held", push<number>()).to(limited);
  const both = p.source("both", push<number>());
  both.to(limited);
  both.to(light);
  p.source("own", push<number>(), { capacity: { items: 5 } }).to(limited);
  p.source("open", push<number>()).to(free);
  p.source("plain", () => [1]).to(limited);
  const definition = definitionOf(p);
  const paced = definition === undefined ? {} : pacingByStage(shapeOf(definition));

  expect(
    Object.fromEntries(Object.entries(paced).map(([name, { capacity }]) => [name, capacity])),
  ).toMatchObject({
    held: { items: 10, bytes: 64 * 1024 * 1024 },
    both: { items: 10, bytes: 2 * 1024 },
    own: { items: 5 },
    limited: { items: 10 },
  });
  expect([paced.open?.capacity, paced.plain?.capacity]).toEqual([undefined, undefined]);
});
