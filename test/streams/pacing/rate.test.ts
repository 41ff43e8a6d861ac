import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RateBudget } from "../../../src/streams/pacing/rate-budget.ts";
import { RateDesk, type RateTaker } from "../../../src/streams/pacing/rate-desk.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { fakeEnv } from "../../support/fake-env.ts";

/** The most items that any period of time saw. */
function mostWithin(taken: readonly (readonly [at: number, items: number])[], perMs: number): number {
  let most = 0;
  for (const [from] of taken) {
    let sum = 0;
    for (const [at, items] of taken) if (at >= from && at < from + perMs) sum += items;
    most = Math.max(most, sum);
  }
  return most;
}

describe("a budget", () => {
  test("is never exceeded in any period, whenever and however much is asked for", () => {
    const asks = fc.array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 40 })), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 5, max: 2_000 }),
        asks,
        (limit, perMs, steps) => {
          const budget = new RateBudget({ limit, perMs }, 0);
          const taken: [number, number][] = [];
          let now = 1_000;
          for (const [wait, wanted] of steps) {
            now += wait / 7;
            const items = budget.take("", wanted, now);
            if (items > 0) taken.push([now, items]);
          }
          expect(mostWithin(taken, perMs)).toBeLessThanOrEqual(limit);
        },
      ),
    );
  });

  test.each([1, 3, 10, 50, 1_000, 20_000])(
    "of %i a second is used up, but for a few in a hundred, and evenly",
    (limit) => {
      const budget = new RateBudget({ limit, perMs: 1_000 }, 0);
      let sum = 0;
      let largest = 0;
      for (let now = 0; now < 60_000; now++) {
        const items = budget.take("", 1_000_000, now);
        sum += items;
        largest = Math.max(largest, items);
      }
      expect(sum).toBeGreaterThan(60 * limit * 0.96);
      expect(sum).toBeLessThanOrEqual(61 * limit);
      expect(largest).toBeLessThanOrEqual(Math.max(1, limit / 10));
    },
  );

  test("says when there is more: asked then, it gives; asked a moment before, it does not", () => {
    const budget = new RateBudget({ limit: 7, perMs: 1_000 }, 0);
    let now = 0;
    for (let n = 0; n < 100; n++) {
      expect(budget.take("", 1, now)).toBe(1);
      const waitMs = budget.waitMs("", now);
      expect(budget.take("", 1, now + waitMs - 0.01)).toBe(0);
      now += waitMs;
    }
  });

  test("is one for each key, and forgets keys that are idle", () => {
    const budget = new RateBudget({ limit: 2, perMs: 100 }, 0);
    for (let n = 0; n < 1_000; n++) expect(budget.take(`key-${n}`, 5, 0)).toBe(1);
    expect(budget.size).toBe(1_000);
    budget.sweep(500);
    expect(budget.size).toBe(0);
  });

  test("begins empty where an earlier life may have used it, and can be a share", () => {
    const budget = new RateBudget({ limit: 10, perMs: 1_000 }, 5_000);
    budget.share = 0.5;
    expect(budget.take("", 10, 4_500)).toBe(0);
    let sum = 0;
    for (let now = 4_500; now < 14_500; now++) sum += budget.take("", 10, now);
    expect(sum).toBeGreaterThan(47);
    expect(sum).toBeLessThanOrEqual(51);
  });
});

describe("a desk", () => {
  function desk(limit: number) {
    const env = fakeEnv(new FakeDisk(() => 0.5));
    const deal = new RateDesk(env, new RateBudget({ limit, perMs: 1_000 }, 0));
    const got: [name: string, at: number, items: number][] = [];
    const taker = (name: string): RateTaker => ({
      grant: (_key, items) => got.push([name, env.clock.mono(), items]),
    });
    const of = (name: string): number =>
      got.filter(([who]) => who === name).reduce((sum, [, , items]) => sum + items, 0);
    return { env, deal, got, taker, of };
  }

  test("deals one budget out to all who ask, to each its turn; one that is gone gets nothing", () => {
    const { env, deal, got, taker, of } = desk(100);
    const [one, two, three] = ["one", "two", "three"].map(taker) as [RateTaker, RateTaker, RateTaker];
    for (const who of [one, two, three]) deal.ask(who, "", 1_000);
    deal.gone(three);
    const before = of("three");
    env.advance(5_000);

    expect(
      mostWithin(
        got.map(([, at, items]) => [at, items]),
        1_000,
      ),
    ).toBeLessThanOrEqual(100);
    expect(of("three")).toBe(before);
    expect(of("one") + of("two")).toBeGreaterThan(470);
    expect(Math.abs(of("one") - of("two"))).toBeLessThanOrEqual(20);
    deal.close();
    expect(env.timersPending).toBe(0);
  });

  test("lets no key wait for another", () => {
    const { env, deal, taker, of } = desk(1);
    deal.ask(taker("busy"), "busy", 50);
    for (let n = 0; n < 50; n++) deal.ask(taker("idle"), `idle-${n}`, 1);
    expect([of("busy"), of("idle")]).toEqual([1, 50]);
    env.advance(3_100);
    expect(of("busy")).toBe(4);
  });
});
