import { many, pipeline, TerminalError } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";
import { z } from "zod";

type Order = { id: number; total: number; at?: Date };

function orders() {
  const p = pipeline("orders");
  const feed = p.source("feed", (): Iterable<string> => {
    throw new Error("the real source must not run");
  });
  const parse = p.stage("parse", (line: string): Order => JSON.parse(line));
  const review = p.stage("review", async (order: Order) => ({ ...order, reviewed: true }));
  const ledger = p.sink("ledger", (_batch: Order[]) => undefined, { batch: { size: 2, withinMs: 60_000 } });
  feed.to(parse);
  parse.to(ledger, { when: (order) => order.total < 100 });
  parse.to(review, { when: (order) => order.total >= 100 });
  review.to(ledger);
  return p;
}

test("a fed pipeline runs to its end and tells what reached each stage and sink", async () => {
  const result = await simulate(orders(), {
    feed: ['{"id":1,"total":5}', "not JSON", '{"id":2,"total":500}', '{"id":3,"total":7}'],
  });

  expect(result.status).toBe("completed");
  expect(result.received.parse).toEqual([
    '{"id":1,"total":5}',
    "not JSON",
    '{"id":2,"total":500}',
    '{"id":3,"total":7}',
  ]);
  expect(result.received.review).toEqual([{ id: 2, total: 500 }]);
  expect(result.received.ledger).toHaveLength(3);
  expect(result.received.ledger).toEqual(
    expect.arrayContaining([
      { id: 1, total: 5 },
      { id: 2, total: 500, reviewed: true },
      { id: 3, total: 7 },
    ]),
  );
  expect(result.outputs.feed).toHaveLength(4);
  expect(result.outputs.review).toEqual([{ id: 2, total: 500, reviewed: true }]);
  expect(result.stages.parse).toMatchObject({ accepted: 4, completed: 3, dead: 1, emitted: 3 });
  expect(result.stages.ledger).toMatchObject({ accepted: 3, completed: 3 });
  expect(result.retries).toMatchObject([
    { stage: "parse", item: "not JSON", attempt: 1, error: { name: "SyntaxError" } },
    { stage: "parse", item: "not JSON", attempt: 2 },
  ]);
  expect(result.dead).toMatchObject([{ stage: "parse", item: "not JSON", reason: "error" }]);
  expect(result.dead[0]?.attempts).toHaveLength(3);
  expect(result.calls.filter(({ stage }) => stage === "ledger").map(({ items }) => items.length)).toEqual([
    2, 1,
  ]);
});

test("items are encoded and decoded as in production", async () => {
  const p = pipeline("codec");
  const given = { when: new Date(5), set: new Set([1n]), nothing: undefined };
  p.source("feed", () => [given])
    .to(
      p.stage("change", (item: typeof given) => {
        const copy = { ...item };
        item.when = new Date(7);
        return copy;
      }),
    )
    .to(p.stage("bad", () => many([1, () => 1])))
    .to(p.sink("out", (_: unknown) => undefined, { retry: { attempts: 1 } }));
  const result = await simulate(p);

  expect(given.when).toEqual(new Date(5));
  // As the function got it, whatever it did to it.
  expect(result.received.change).toEqual([given]);
  expect(result.received.bad).toEqual([given]);
  expect(result.dead).toMatchObject([{ stage: "bad" }]);
  expect(result.dead[0]?.attempts[0]?.error.code).toBe("MR_NOT_ENCODABLE");
  expect(result.received.out).toEqual([]);
});

test("params, setup, teardown, state, logs and stubs", async () => {
  const life: unknown[] = [];
  const p = pipeline("life", { params: z.object({ by: z.number().default(2) }) });
  p.source("feed", () => [1, 2])
    .to(
      p.stage("times", {
        setup: async (ctx) => {
          life.push("setup");
          return { by: ctx.params.by };
        },
        run: (n: number, ctx) => {
          ctx.log.info({ n }, "times");
          return n * ctx.state.by;
        },
        teardown: (state) => void life.push(state),
      }),
    )
    .to(
      p.sink("out", {
        setup: () => {
          throw new Error("no database in a test");
        },
        run: (_: number) => undefined,
      }),
    );
  const written: number[] = [];
  const stubs = { out: (n: number) => void written.push(n) };
  const result = await simulate(p, { params: { by: 5 }, stubs });

  expect(result.status).toBe("completed");
  expect(written).toEqual([5, 10]);
  expect(life).toEqual(["setup", { by: 5 }]);
  expect(result.logs).toMatchObject([
    { stage: "times", level: "info", message: "times", fields: { n: 1 }, atMs: 0 },
    { message: "times", fields: { n: 2 } },
  ]);
  const failed = await simulate(p);
  expect(failed).toMatchObject({ status: "failed", error: { code: "MR_SETUP_FAILED" } });
  await expect(simulate(p, { params: { by: "x" } as never })).rejects.toMatchObject({
    code: "MR_BAD_PARAMS",
  });
});

test("the same seed gives the same run, another seed another order", async () => {
  const p = pipeline("seeded");
  p.source("feed", () => Array.from({ length: 60 }, (_, i) => i))
    .to(
      p.stage("work", async (n: number) => {
        if (n % 7 === 3) throw new Error(`no ${n}`);
        return n;
      }),
    )
    .to(p.sink("out", (_: number) => undefined));
  const options = {
    instances: { work: 3 },
    faults: { redeliver: 0.1, killAt: { work: [5, { item: 9, after: true }] } },
  };
  const first = await simulate(p, options);
  const again = await simulate(p, { ...options, seed: 1 });
  const other = await simulate(p, { ...options, seed: 2 });

  expect(again).toEqual(first);
  expect(first.faults.length).toBeGreaterThan(2);
  const order = ({ received }: typeof first) => received.out?.join(",");
  expect(order(other)).not.toBe(order(first));
  expect([...(other.received.out ?? [])].sort()).toEqual([...(first.received.out ?? [])].sort());
  expect(other.retries.map(({ delayMs }) => delayMs)).not.toEqual(
    first.retries.map(({ delayMs }) => delayMs),
  );
});

test("a hundred simulations side by side do not meet", async () => {
  const p = pipeline("many");
  p.source("feed", () => [0])
    .to(p.stage("add", async (n: number) => n + 1))
    .to(p.sink("out", (_: number) => undefined));
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, i) => simulate(p, { feed: [i, i], seed: i })),
  );

  expect(results.map(({ received }) => received.out)).toEqual(
    Array.from({ length: 100 }, (_, i) => [i + 1, i + 1]),
  );
});

test("a source by another name, a function in its place, and async items", async () => {
  const p = pipeline("sources");
  const out = p.sink("out", (_: number) => undefined);
  p.source("numbers", () => [0]).to(out);
  const one = await simulate(p, { feed: [1] });
  p.source("seed", () => [0]).to(out);
  const two = await simulate(p, {
    numbers: async function* () {
      yield 2;
    },
    sources: { seed: new Set([3]) },
  });

  expect(one.received.out).toEqual([1]);
  expect([...(two.received.out ?? [])].sort()).toEqual([2, 3]);
  await expect(simulate(p, { feed: [1] })).rejects.toThrow(
    "the pipeline has no source of that name; it has numbers, seed",
  );
});

test("cycles come to their end, terminal errors are not retried, an unless is asked", async () => {
  const p = pipeline("cycle");
  const halve = p.stage("halve", (n: number) => {
    if (n === 5) throw new TerminalError("five");
    return n / 2;
  });
  p.source("feed", () => [16, 10]).to(halve);
  halve.to(halve, { when: (n) => n > 1 });
  halve.to(
    p.sink("out", (_: number) => undefined),
    { when: (n) => n <= 1 },
  );
  const result = await simulate(p);

  expect(result).toMatchObject({ status: "completed", retries: [], durationMs: 0 });
  expect(result.received.out).toEqual([1]);
  expect(result.dead).toMatchObject([{ item: 5, stage: "halve" }]);
});

test.each([
  [{ nonsense: [1] }, "nonsense: no option is called so"],
  [{ feed: 5 }, "the items of a source are an iterable"],
  [{ stubs: { gone: () => 1 } }, "stubs.gone: the pipeline has no stage or sink of that name; it has out"],
  [{ until: "soon" }, "until"],
  [{ seed: 1.5 }, "seed: 1.5 (number) is not a whole number"],
  [{ instances: { out: 0 } }, "instances.out"],
  [{ startAt: "yesterday" }, "startAt"],
  [{ faults: { redeliver: 2 } }, "faults.redeliver: 2 (number) is neither a share"],
  [{ faults: { killAt: { gone: 1 } } }, "faults.killAt.gone"],
  [{ faults: { killAt: { out: 0 } } }, "names no item"],
  [{ faults: { loseAll: true } }, "faults.loseAll: known are redeliver and killAt"],
])("what makes no sense is refused: %j", async (options, message) => {
  const p = pipeline("refused");
  p.source("feed", () => [1]).to(p.sink("out", (_: number) => undefined));
  const refused = expect(simulate(p, options as never)).rejects;
  await refused.toMatchObject({ code: "MR_USAGE", message: expect.stringContaining(message) });
});

test("what is no pipeline, and one that cannot run, is refused", async () => {
  await expect(simulate({} as never)).rejects.toMatchObject({ code: "MR_NOTHING_TO_RUN" });
  await expect(simulate(pipeline("empty"))).rejects.toMatchObject({ code: "MR_NO_SOURCE" });
});
