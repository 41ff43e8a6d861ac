import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeEnv } from "../../../src/env/node.ts";
import { NOTHING } from "../../../src/streams/contract.ts";
import { EmbeddedEngine } from "../../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../../src/streams/embedded/memory-log.ts";
import { DedupeWindow } from "../../../src/streams/pacing/dedupe-window.ts";

const WINDOW_MS = 1_000;

/** Time that the test moves; the wall clock may jump, the monotonic one starts anew with a process. */
function testClock() {
  let wall = 1_700_000_000_000;
  let mono = 5;
  return {
    now: () => wall,
    mono: () => mono,
    pass(ms: number) {
      wall += ms;
      mono += ms;
    },
    jump(ms: number) {
      wall += ms;
    },
    restart() {
      mono = 17;
    },
  };
}

const store = async () => (await EmbeddedEngine.open(nodeEnv, () => new MemoryLog(), "nothing")).engine;

test("a key is let in when, and only when, no one like it was within the window: over restarts, too", async () => {
  const steps = fc.array(
    fc.oneof(
      {
        weight: 20,
        arbitrary: fc.record({ keys: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 9 }) }),
      },
      { weight: 6, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 400 }) }) },
      { weight: 1, arbitrary: fc.record({ restart: fc.integer({ min: -5_000, max: 0 }) }) },
    ),
    { maxLength: 250 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (run) => {
      const engine = await store();
      const clock = testClock();
      const seen = new Map<string, number>();
      /** The window's own time, which a wall clock that was put back does not put back. */
      let time = 0;
      let window = new DedupeWindow("s", WINDOW_MS, clock);
      for (const step of run) {
        if ("pass" in step) {
          clock.pass(step.pass);
          time += step.pass;
        } else if ("restart" in step) {
          // Down for no time at all; what the wall clock loses meanwhile holds up the window, but never opens it.
          clock.restart();
          if (seen.size > 0 && Math.max(...seen.values()) === time) clock.jump(step.restart);
          window = new DedupeWindow("s", WINDOW_MS, clock);
          await window.load(engine.records);
          if (seen.size > 0 && Math.max(...seen.values()) === time) clock.jump(-step.restart);
        } else {
          for (const n of step.keys) {
            const key = `key-${n}`;
            const at = seen.get(key);
            const isNew = at === undefined || time - at >= WINDOW_MS;
            expect(window.admit(key)).toBe(isNew);
            if (isNew) seen.set(key, time);
          }
          await engine.transact({ ...NOTHING, records: window.writes() });
        }
      }
    }),
    { numRuns: 60 },
  );
});

describe("what is stored", () => {
  test("is a few records, whatever the number of transactions, and goes when the window has gone on", async () => {
    const engine = await store();
    const clock = testClock();
    const window = new DedupeWindow("s", WINDOW_MS, clock);
    let most = 0;
    for (let n = 0; n < 20_000; n++) {
      window.admit(`key-${n}`);
      await engine.transact({ ...NOTHING, records: window.writes() });
      if (n % 20 === 0) clock.pass(1);
      most = Math.max(most, engine.records.count("dedupe/s/"));
    }
    expect(most).toBeLessThan(80);

    clock.pass(2 * WINDOW_MS);
    for (let n = 0; n < 70; n++) {
      window.admit(`late-${n}`);
      await engine.transact({ ...NOTHING, records: window.writes() });
    }
    expect(window.size).toBeLessThan(2_700);
    const stored = (await engine.records.scan("dedupe/s/")).entries;
    expect(stored.reduce((bytes, { value }) => bytes + value.length, 0)).toBeLessThan(70 * 20 + 1);
  });

  test("is kept for the last keys alone when there are too many, and that is said", async () => {
    const window = new DedupeWindow("s", WINDOW_MS, testClock(), 10_000);
    const clock = testClock();
    const tight = new DedupeWindow("s", WINDOW_MS, clock, 10_000);
    let forgotten = 0;
    tight.onForgotten = (keys) => {
      forgotten += keys;
    };
    for (let n = 0; n < 30_000; n++) {
      tight.admit(`key-${n}`);
      if (n % 40 === 0) clock.pass(1);
    }
    expect(forgotten).toBeGreaterThan(10_000);
    expect(tight.size).toBeLessThan(16_000);
    expect(tight.admit("key-29999")).toBe(false);
    expect(window.size).toBe(0);
  });
});
