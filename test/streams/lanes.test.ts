import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Consumer, newConsumer } from "../../src/streams/consumer.ts";
import { Lane } from "../../src/streams/lane.ts";
import { LaneOwners } from "../../src/streams/lane-owners.ts";
import {
  frameOfHandle,
  handleOf,
  laneOf,
  laneOfHandle,
  MAX_LANES,
  partitionOf,
  stageOf,
  streamOf,
} from "../../src/streams/lanes.ts";

describe("the names of lanes", () => {
  test("lead back to their stage and number; so do the numbers of their frames", () => {
    const lane = fc.integer({ min: 0, max: MAX_LANES - 1 });
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z][a-z._-]*$/),
        lane,
        fc.nat(2 ** 42 - 1),
        (stage, number, frame) => {
          const stream = streamOf(stage, number);
          expect([stageOf(stream), laneOf(stream)]).toEqual([stage, number]);
          const handle = handleOf(number, frame);
          expect(Number.isSafeInteger(handle)).toBe(true);
          expect([laneOfHandle(handle), frameOfHandle(handle)]).toEqual([number, frame]);
        },
      ),
    );
    expect(streamOf("work", 0)).toBe("work");
    for (const none of ["work~", "work~0", "work~01", "work~x", "work~1~2"]) expect(laneOf(none)).toBeNaN();
  });

  test("of partitions: a key's is the same for ever, and keys are spread evenly", () => {
    // n.b. never to be changed: items of a run that goes on after an update would leave their order.
    expect(["", "a", "customer-17", "ключ", "🙂"].map((key) => partitionOf(key, 32))).toMatchInlineSnapshot(`
      [
        11,
        7,
        21,
        22,
        27,
      ]
    `);
    const sizes = new Map<number, number>();
    for (let i = 0; i < 32_000; i++) {
      const partition = partitionOf(`customer-${i}`, 32);
      sizes.set(partition, (sizes.get(partition) ?? 0) + 1);
    }
    expect(sizes.size).toBe(32);
    for (const size of sizes.values()) expect(Math.abs(size - 1_000)).toBeLessThan(200);
  });
});

function consumer(instance: string): Consumer {
  return newConsumer({
    instance,
    role: "worker",
    passesOn: [],
    callsAtOnce: false,
    deliver: () => undefined,
  });
}

describe("the owners of lanes", () => {
  test("have them evenly, and keep as many as can be when others come and go", () => {
    const change = fc.record({ who: fc.nat(7), isComing: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.array(change, { maxLength: 40 }), (count, changes) => {
        const owners = new LaneOwners(Array.from({ length: count }, (_, number) => new Lane(number)));
        const present = new Map<number, Consumer>();
        const ownerOf = (): Map<number, string> =>
          new Map(
            [...present.values()].flatMap((one) =>
              owners.lanesOf(one).map(({ number }) => [number, one.instance] as const),
            ),
          );
        for (const { who, isComing } of changes) {
          const before = ownerOf();
          const had = present.size;
          if (isComing) present.set(who, present.get(who) ?? consumer(`i${who}`));
          else present.delete(who);
          owners.assign(present.values());
          const now = ownerOf();
          expect(now.size).toBe(present.size === 0 ? 0 : count);
          const sizes = [...present.values()].map((one) => owners.lanesOf(one).length);
          if (sizes.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          // Nobody loses a lane but to one that came, and only what that one must have.
          const names = new Set([...present.values()].map(({ instance }) => instance));
          const moved = [...before].filter(([lane, owner]) => names.has(owner) && now.get(lane) !== owner);
          const isNew = present.size > had;
          expect(moved.length).toBeLessThanOrEqual(isNew ? Math.ceil(count / present.size) : 0);
        }
      }),
    );
  });

  test("are not given a lane of which another has something, or in which a call of another still runs", () => {
    const lane = new Lane(0);
    const owners = new LaneOwners([lane], ["old"]);
    const [one, two] = [consumer("one"), consumer("two")];
    expect(owners.mayGive(lane, one)).toBe(false);
    owners.reserve("old", [0]);
    expect(owners.mayGive(lane, one)).toBe(false);
    owners.forget("old");
    expect(owners.mayGive(lane, one)).toBe(true);
    owners.reserve("two", [0]);
    expect([owners.mayGive(lane, one), owners.mayGive(lane, two)]).toEqual([false, true]);
    owners.free("two", [0]);
    lane.out = 1;
    lane.holder = one;
    expect([owners.mayGive(lane, one), owners.mayGive(lane, two)]).toEqual([true, false]);
  });
});
