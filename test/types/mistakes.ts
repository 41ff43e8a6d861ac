// What must not compile: every line under `@ts-expect-error` is a mistake that a user could make.
import { z } from "zod";
import { type Context, many, type Pipeline, pipeline } from "../../src/index.ts";

interface Order {
  readonly id: string;
  readonly total: number;
}

export function wiring(p: Pipeline): void {
  const feed = p.source("feed", () => ["a"]);
  const parse = p.stage("parse", (line: string): Order => JSON.parse(line));
  const numbers = p.stage("numbers", (n: number) => n);
  const strings = p.sink("strings", (text: string) => text);
  const split = p.stage("split", (line: string) => line.split(","));
  const some = p.stage("some", (line: string): string | number => line);

  // @ts-expect-error a string is not a number
  feed.to(numbers);
  // @ts-expect-error nor at the end of a line
  feed.to(parse).to(strings);
  // @ts-expect-error a condition does not change the type
  feed.to(numbers, { when: (line) => line !== "" });
  // @ts-expect-error the guard narrows to something else
  some.to(strings, { when: (x): x is number => typeof x === "number" });
  // @ts-expect-error without the guard a part of the items does not fit
  some.to(strings);
  // @ts-expect-error a bare array is one item
  split.to(strings);
  // @ts-expect-error when looks at items
  feed.to(parse, { when: (n: number) => n > 1 });
  // @ts-expect-error there is no such option
  feed.to(parse, { where: () => true });
  // @ts-expect-error a sink puts nothing out
  strings.to(parse);
  // @ts-expect-error a source takes nothing
  parse.to(feed);
  // @ts-expect-error a name is not a node
  feed.to("parse");
  // @ts-expect-error a cycle has to fit as well
  parse.to(parse);
}

export function returns(p: Pipeline): void {
  const batch = { size: 2 } as const;
  // @ts-expect-error a batch gives back a list
  p.stage("a", (xs: string[]) => xs.length, { batch });
  // @ts-expect-error not a promise of something else
  p.stage("b", async (xs: string[]) => xs.length, { batch });
  // @ts-expect-error nor an object
  p.stage("c", (xs: string[]) => ({ xs }), { batch });
  // @ts-expect-error nor a set
  p.stage("d", (xs: string[]) => new Set(xs), { batch });
  // @ts-expect-error nor text
  p.stage("e", (xs: string[]) => xs.join(), { batch });
  // @ts-expect-error nor sometimes
  p.stage("f", (xs: string[]) => (xs.length > 1 ? xs : 1), { batch });
  // @ts-expect-error nor many()
  p.stage("g", (xs: string[]) => many(xs), { batch });
  // @ts-expect-error a batch function gets a list
  p.stage("h", (x: string) => [x], { batch });
  // @ts-expect-error so does a sink's
  p.sink("i", (x: string) => x, { batch });
  // @ts-expect-error a source gives back something to iterate over
  p.source("j", () => 1);
  // @ts-expect-error a text is not a list of items
  p.source("k", () => "abc");
  // @ts-expect-error nor is nothing
  p.source("l", () => {});
  // @ts-expect-error many() needs something to iterate over
  many(1);
}

export function contexts(p: Pipeline): void {
  // @ts-expect-error without a schema there are no params
  p.stage("a", (_: string, ctx) => ctx.params.rate);
  // @ts-expect-error a function has no setup, so no state
  p.stage("b", (_: string, ctx) => ctx.state.rate);
  // @ts-expect-error setup returns something else
  p.stage("c", { setup: () => 1, run: (x: string, _: Context<unknown, string>) => x });
  // @ts-expect-error so teardown gets something else
  p.stage("d", { setup: () => 1, run: (x: string) => x, teardown: (state: string) => state });
  // @ts-expect-error a handler runs
  p.stage("e", { setup: () => 1 });
  // @ts-expect-error no such part of a handler
  p.sink("f", { run: (x: string) => x, tearDown: () => {} });
  // @ts-expect-error by looks at items
  p.sink("g", (xs: string[]) => xs, { batch: { size: 1, by: (n: number) => n } });
  // @ts-expect-error onFailed gets items
  p.sink("h", (xs: string) => xs, { onFailed: (n: number) => n });
  const priced = pipeline("priced", { params: z.object({ rate: z.number() }) });
  // @ts-expect-error a param that the schema does not name
  priced.stage("i", (_: string, ctx) => ctx.params.ratio);
  // @ts-expect-error a function made for other params
  priced.stage("j", (x: string, _: Context<{ rate: string }>) => x);
}

export function options(p: Pipeline): void {
  const run = (x: string) => x;
  // @ts-expect-error a later version's
  pipeline("a", { isolation: "container" });
  // @ts-expect-error no such durability
  pipeline("b", { durability: "tape" });
  // @ts-expect-error not a schema
  pipeline("c", { params: { rate: "number" } });
  // @ts-expect-error params are an object
  pipeline("d", { params: z.string() });
  // @ts-expect-error a typing mistake
  p.stage("e", run, { concurency: 1 });
  // @ts-expect-error a key is a text
  p.stage("f", run, { orderBy: (x: string) => x.length });
  // @ts-expect-error one level down
  p.stage("g", run, { retry: { atempts: 1 } });
  // @ts-expect-error not a duration
  p.stage("h", run, { timeoutMs: "5 minutes" });
  // @ts-expect-error not a size
  p.stage("i", run, { resources: { memory: "512" } });
  // @ts-expect-error concurrency needs an end
  p.stage("j", run, { concurrency: { min: 1 } });
  // @ts-expect-error a source runs once
  p.source("k", () => [1], { instances: 2 });
  // @ts-expect-error a source has no calls
  p.source("l", () => [1], { timeoutMs: 1 });
  // @ts-expect-error a batch has a size
  p.sink("m", (xs: string[]) => xs, { batch: { withinMs: 1 } });
}
