import { pipeline } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

interface Step {
  readonly key: string;
  readonly n: number;
}

/** Of each of these keys so many steps, one key after the other. */
function steps(keys: number, each: number): Step[] {
  return Array.from({ length: keys * each }, (_, i) => ({ key: `k${i % keys}`, n: Math.floor(i / keys) }));
}

/** The steps of each key, in the order in which they were done; a repeat of the same step counts once. */
function orderOf(done: readonly Step[]): Map<string, number[]> {
  const order = new Map<string, number[]>();
  for (const { key, n } of done) {
    const seen = order.get(key) ?? [];
    if (!seen.includes(n)) order.set(key, [...seen, n]);
  }
  return order;
}

const inOrder = (keys: number, each: number): Map<string, number[]> =>
  new Map(Array.from({ length: keys }, (_, k) => [`k${k}`, Array.from({ length: each }, (_, n) => n)]));

test("rate and orderBy: over two instances, retries and a death, the rate holds and so does each key's order", async () => {
  const p = pipeline("rate-order");
  const failed = new Set<string>();
  const done: Step[] = [];
  p.source("feed", () => steps(8, 12)).to(
    p.sink(
      "out",
      (step: Step) => {
        const name = `${step.key}/${step.n}`;
        if (step.n === 3 && !failed.has(name)) {
          failed.add(name);
          throw new Error("once more");
        }
        done.push(step);
      },
      {
        orderBy: ({ key }) => key,
        rate: { limit: 10, perMs: 1_000 },
        instances: 2,
        retry: { backoff: { initialMs: 10 } },
      },
    ),
  );
  const { status, calls, dead } = await simulate(p, { faults: { killAt: { out: 30 } } });

  expect([status, dead]).toEqual(["completed", []]);
  expect(orderOf(done)).toEqual(inOrder(8, 12));
  const at = calls.map(({ atMs }) => atMs);
  for (const from of at)
    expect(at.filter((time) => time >= from && time < from + 1_000).length).toBeLessThan(12);
});

test("breaker and orderBy: an outage costs no item and no order", async () => {
  let isDown = true;
  let refusals = 0;
  const done: Step[] = [];
  const p = pipeline("breaker-order");
  p.source("feed", () => steps(40, 10)).to(
    p.sink(
      "out",
      (step: Step) => {
        if (isDown && ++refusals >= 60) isDown = false;
        if (isDown) throw new Error("connection refused");
        done.push(step);
      },
      {
        orderBy: ({ key }) => key,
        breaker: { share: 0.9, after: 50 },
        retry: { attempts: 6, backoff: { initialMs: 10 } },
      },
    ),
  );
  const { status, stages, dead, logs } = await simulate(p);

  expect(logs.some(({ message }) => message.includes("circuit breaker open"))).toBe(true);
  expect([status, dead]).toEqual(["completed", []]);
  expect(stages.out).toMatchObject({ accepted: 400, completed: 400 });
  expect(orderOf(done)).toEqual(inOrder(40, 10));
});

test("an instance that dies while the breaker is open: what it kept is not charged, however often that happens", async () => {
  let calls = 0;
  const p = pipeline("breaker-death");
  p.source("feed", () => Array.from({ length: 300 }, (_, n) => n)).to(
    p.sink(
      "out",
      () => {
        if (++calls < 105) throw new Error("connection refused");
      },
      { breaker: { share: 0.9, after: 100 }, retry: { attempts: 3 } },
    ),
  );
  // The probes are the next calls after the breaker has opened: two of them end the process.
  const { status, stages, dead, faults } = await simulate(p, { faults: { killAt: { out: [101, 102] } } });

  expect(faults.map(({ kind, atMs }) => [kind, atMs > 900])).toContainEqual(["kill", true]);
  expect([status, dead]).toEqual(["completed", []]);
  expect(stages.out).toMatchObject({ accepted: 300, completed: 300 });
});
