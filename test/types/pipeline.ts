// What the compiler must infer from, and allow in, the pipelines that users write. Compiled by `npm run check`.
import { z } from "zod";
import {
  type Context,
  type Many,
  many,
  type NoParams,
  type Pipeline,
  pipeline,
  type Sink,
  type Source,
  type Stage,
} from "../../src/index.ts";
import { type Equal, expectType } from "./equal.ts";

interface Order {
  readonly id: string;
  readonly total: number;
}
interface Receipt {
  readonly order: string;
}
interface Page {
  readonly url: string;
  readonly html: string;
}
interface Link {
  readonly url: string;
}

declare function readFeed(ctx: Context): AsyncGenerator<string>;
declare function chargeCard(order: Order, ctx: Context): Promise<Receipt>;
declare function scoreRisk(order: Order): Promise<Order>;
declare function writeRows(rows: Receipt[]): Promise<void>;

/** The first example of the documentation, word for word. */
export function orders(): Pipeline {
  const p = pipeline("orders");

  const feed = p.source("feed", readFeed);
  const parse = p.stage("parse", (line: string): Order => JSON.parse(line));
  const charge = p.stage("charge", chargeCard, { concurrency: 8, retry: { attempts: 5 } });
  const review = p.stage("review", scoreRisk);
  const ledger = p.sink("ledger", writeRows, { batch: { size: 500, withinMs: 200 } });

  feed.to(parse);
  parse.to(charge, { when: (o) => o.total < 1_000 });
  parse.to(review, { when: (o) => o.total >= 1_000 });
  review.to(charge);
  charge.to(ledger);

  expectType<Equal<typeof feed, Source<string>>>();
  expectType<Equal<typeof parse, Stage<string, Order>>>();
  expectType<Equal<typeof charge, Stage<Order, Receipt>>>();
  expectType<Equal<typeof review, Stage<Order, Order>>>();
  expectType<Equal<typeof ledger, Sink<Receipt>>>();
  return p;
}

export function sources(p: Pipeline): void {
  const generator = p.source("generator", function* () {
    yield 1;
    yield 2;
  });
  expectType<Equal<typeof generator, Source<1 | 2>>>();
  const array = p.source("array", () => ["a", "b"]);
  expectType<Equal<typeof array, Source<string>>>();
  const promised = p.source("promised", async () => [{ id: "a", total: 1 } as Order]);
  expectType<Equal<typeof promised, Source<Order>>>();
  const context = p.source("context", async function* (ctx) {
    ctx.checkpoint(1);
    const rows: Order[] = [];
    yield* rows;
  });
  expectType<Equal<typeof context, Source<Order>>>();
  const set = p.source("set", () => new Map<string, number>().entries());
  expectType<Equal<typeof set, Source<[string, number]>>>();
  const handler = p.source(
    "handler",
    {
      setup: async () => ({ rows: [1, 2, 3] }),
      *run(ctx) {
        expectType<Equal<typeof ctx.state, { rows: number[] }>>();
        yield* ctx.state.rows;
      },
      teardown: (state) => expectType<Equal<typeof state, { rows: number[] }>>(),
    },
    { instances: 1, retry: { attempts: 2 }, resources: { memory: "256MB" } },
  );
  expectType<Equal<typeof handler, Source<number>>>();
}

export function outputs(p: Pipeline): void {
  const none = p.stage("none", (_: string) => {});
  expectType<Equal<typeof none, Stage<string, never>>>();
  const maybe = p.stage("maybe", (x: string) => (x === "" ? undefined : x.length));
  expectType<Equal<typeof maybe, Stage<string, number>>>();
  const promised = p.stage("promised", async (x: string) => (x === "" ? undefined : x.length));
  expectType<Equal<typeof promised, Stage<string, number>>>();
  const nothing = p.stage("null", (x: string) => (x === "" ? null : x));
  expectType<Equal<typeof nothing, Stage<string, string | null>>>();
  const list = p.stage("list", (x: string) => x.split(","));
  expectType<Equal<typeof list, Stage<string, string[]>>>();
  const several = p.stage("several", (x: string) => many(x.split(",")));
  expectType<Equal<typeof several, Stage<string, string>>>();
  const severalOrOne = p.stage("several-or-one", async (x: string) => (x === "" ? x.length : many([x])));
  expectType<Equal<typeof severalOrOne, Stage<string, string | number>>>();
  const generator = p.stage("generator", function* (x: string) {
    yield x.length;
  });
  expectType<Equal<typeof generator, Stage<string, number>>>();
  const asyncGenerator = p.stage("async-generator", async function* (x: string, ctx) {
    ctx.log.info("seen");
    yield { id: x, total: 1 } as Order;
  });
  expectType<Equal<typeof asyncGenerator, Stage<string, Order>>>();
  const anything = p.stage("any", (x: string) => JSON.parse(x));
  expectType<Equal<typeof anything, Stage<string, ReturnType<typeof JSON.parse>>>>();
  const opaque = p.stage("unknown", (x: string): unknown => x);
  expectType<Equal<typeof opaque, Stage<string, unknown>>>();
  const flag = p.stage("boolean", (x: string) => x === "");
  expectType<Equal<typeof flag, Stage<string, boolean>>>();
  const constant = p.stage("no-input", () => 1);
  expectType<Equal<typeof constant, Stage<unknown, number>>>();
}

export function batches(p: Pipeline): void {
  const batch = { size: 10 } as const;
  const list = p.stage("list", (xs: string[]) => xs.map((x) => x.length), { batch });
  expectType<Equal<typeof list, Stage<string, number>>>();
  const frozen = p.stage("frozen", (xs: readonly string[], ctx) => xs.slice(ctx.items.length), { batch });
  expectType<Equal<typeof frozen, Stage<string, string>>>();
  const promised = p.stage("promised", async (xs: Order[]) => [xs.length], {
    batch: { size: 10, withinMs: "1s", by: (order) => order.id },
  });
  expectType<Equal<typeof promised, Stage<Order, number>>>();
  const generator = p.stage(
    "generator",
    function* (xs: string[]) {
      yield* xs;
    },
    { batch },
  );
  expectType<Equal<typeof generator, Stage<string, string>>>();
  const maybe = p.stage("maybe", (xs: string[]) => (xs.length > 3 ? xs : undefined), { batch });
  expectType<Equal<typeof maybe, Stage<string, string>>>();
  const none = p.stage("none", async (_: string[]) => {}, { batch });
  expectType<Equal<typeof none, Stage<string, never>>>();
  const lists = p.stage("lists", (xs: string[]) => [xs], { batch });
  expectType<Equal<typeof lists, Stage<string, string[]>>>();
  const handler = p.stage(
    "handler",
    {
      setup: () => new Map<string, number>(),
      run: (xs: string[], ctx) => xs.map((x) => ctx.state.get(x) ?? 0),
      teardown: (state) => state.clear(),
    },
    { batch, onFailed: (item, error, ctx) => ctx.state.set(item, error.message.length) },
  );
  expectType<Equal<typeof handler, Stage<string, number>>>();
  const sink = p.sink("sink", (xs: Order[], ctx) => ctx.failAt(0, xs[0]), { batch });
  expectType<Equal<typeof sink, Sink<Order>>>();
}

export function lives(p: Pipeline): void {
  const stage = p.stage(
    "stage",
    {
      async setup(ctx) {
        ctx.log.info(ctx.stage);
        return { rate: 2 };
      },
      run(order: Order, ctx) {
        expectType<Equal<typeof ctx.state, { rate: number }>>();
        return order.total * ctx.state.rate;
      },
      teardown(state) {
        expectType<Equal<typeof state, { rate: number }>>();
      },
    },
    {
      onFailed(item, error, ctx) {
        expectType<Equal<typeof item, Order>>();
        expectType<Equal<typeof error, Error>>();
        expectType<Equal<typeof ctx.state, { rate: number }>>();
      },
    },
  );
  expectType<Equal<typeof stage, Stage<Order, number>>>();
  const bare = p.sink("bare", {
    run: (_: Order, ctx) => expectType<Equal<typeof ctx.state, undefined>>(),
  });
  expectType<Equal<typeof bare, Sink<Order>>>();
  class Writer {
    readonly rows: string[] = [];
    run(row: string): void {
      this.rows.push(row);
    }
  }
  const writer = p.sink("writer", new Writer());
  expectType<Equal<typeof writer, Sink<string>>>();
}

export function params(): void {
  const schema = z.object({ rate: z.coerce.number(), currency: z.string().default("EUR") });
  const p = pipeline("orders", { params: schema, module: import.meta.url, durability: "process" });
  expectType<Equal<typeof p, Pipeline<{ rate: number; currency: string }>>>();
  p.source("feed", (ctx) => [ctx.params.rate]);
  p.stage("convert", (total: number, ctx) => {
    expectType<Equal<typeof ctx.params, { rate: number; currency: string }>>();
    return total * ctx.params.rate;
  });
  p.stage("elsewhere", (total: number, ctx: Context<{ rate: number }>) => total * ctx.params.rate);
  p.sink("setup", { setup: (ctx) => ctx.params.currency, run: (_: number, ctx) => ctx.state.length });
  const bare = pipeline("bare");
  expectType<Equal<typeof bare, Pipeline<NoParams>>>();
}

export function routes(p: Pipeline): void {
  const crawl = p.stage("crawl", (url: string): Page | Link => ({ url }));
  const pages = p.sink("pages", (page: Page) => page.html);
  const links = p.stage("links", (link: Link) => link.url);
  const all = p.sink("all", (thing: object) => thing);

  const same = crawl.to(pages, { when: (x): x is Page => "html" in x });
  expectType<Equal<typeof same, Sink<Page>>>();
  // A stage that takes a wider type is fine, with a guard, a condition or neither.
  crawl.to(links, { when: (x): x is Page => "html" in x });
  crawl.to(all, { when: (x) => x.url });
  crawl.to(all);
  // A predicate that the compiler infers narrows as well.
  crawl.to(pages, { when: (x) => "html" in x });
  // A guard that knows more than items.
  crawl.to(pages, { when: isPage });
  // Cycles of any length.
  links.to(crawl);
  const next = p.stage("next", (n: number) => n + 1);
  next.to(next, { when: (n) => n < 10 });
  // A straight line.
  const line = p
    .source("feed", () => ["a"])
    .to(crawl)
    .to(links);
  expectType<Equal<typeof line, Stage<Link, string>>>();
}

declare function isPage(value: unknown): value is Page;

export function manyIsTyped(): void {
  const list = many([1, 2]);
  expectType<Equal<typeof list, Many<number>>>();
}
