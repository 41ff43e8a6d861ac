import { beforeEach, describe, expect, test } from "vitest";
import { Breaker, GIVE_UP_MS } from "../../../src/streams/pacing/breaker.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { type FakeEnv, fakeEnv } from "../../support/fake-env.ts";

let env: FakeEnv;
let events: string[];
let probes: number[];

beforeEach(() => {
  env = fakeEnv(new FakeDisk(() => 0.5));
  events = [];
  probes = [];
});

const breakerOf = (share: number, after: number): Breaker =>
  new Breaker(
    env,
    { share, after },
    {
      onState: (state, what) => events.push(`${state}: ${what}`),
      onProbe: () => probes.push(env.clock.mono()),
      onGivenUp: () => events.push("given up"),
    },
  );

describe("it opens", () => {
  test("when so many items have been called and of the last of them so many failed, and not before", () => {
    const breaker = breakerOf(0.9, 1_000);
    breaker.count(999, 999);
    expect(breaker.isOpen).toBe(false);
    breaker.count(1, 0);
    expect(events).toEqual(["open: 999 of the last 1000 items failed"]);
  });

  test("by the last items alone: what went well long ago is forgotten", () => {
    const breaker = breakerOf(0.9, 1_000);
    for (let n = 0; n < 5_000; n++) breaker.count(1, 0);
    let failed = 0;
    while (!breaker.isOpen) {
      breaker.count(1, 1);
      failed++;
    }
    expect(failed).toBeGreaterThanOrEqual(900);
    expect(failed).toBeLessThanOrEqual(1_000);
  });

  test("never while enough goes well, and at once with a small `after`", () => {
    const breaker = breakerOf(0.9, 100);
    for (let n = 0; n < 10_000; n++) breaker.count(1, n % 8 === 0 ? 0 : 1);
    expect(breaker.isOpen).toBe(false);
    const quick = breakerOf(1, 1);
    quick.count(1, 1);
    expect(quick.isOpen).toBe(true);
  });
});

describe("open", () => {
  test("it probes at growing intervals, also when nobody answers, and closes with the first success", () => {
    const breaker = breakerOf(0.9, 10);
    breaker.count(10, 10);
    env.advance(1_000);
    breaker.probed(false);
    env.advance(2_000);
    breaker.probed(false);
    env.advance(4_000 + 8_000 + 16_000 + 30_000 + 30_000);
    expect(probes).toEqual([1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]);
    breaker.count(1_000, 1_000);
    breaker.probed(true);
    expect(events).toEqual(["open: 10 of the last 10 items failed", "closed: a call succeeded after 91 s"]);
    expect(env.timersPending).toBe(0);
    breaker.probed(true);
    breaker.count(9, 9);
    expect(breaker.isOpen).toBe(false);
    breaker.count(1, 1);
    expect(breaker.isOpen).toBe(true);
    env.advance(1_000);
    expect(probes.at(-1)).toBe(92_000);
  });

  test("for five minutes on end it is given up, once", () => {
    const breaker = breakerOf(0.9, 10);
    breaker.count(10, 10);
    env.advance(GIVE_UP_MS - 1);
    expect(events).toHaveLength(1);
    env.advance(GIVE_UP_MS);
    expect(events.slice(1)).toEqual(["given up"]);
    breaker.close();
    expect(env.timersPending).toBe(0);
  });
});
