// What the compiler must infer from the jobs that users write, and what it must refuse. Compiled by `npm run check`.
import { z } from "zod";
import { type Job, job, run, start, task } from "../../src/index.ts";
import { type Equal, expectType } from "./equal.ts";

/** The first example of the documentation, word for word. */
const reverse = job("reverse-strings", {
  input: "hello\nworld",
  *split(input: string) {
    yield* input.split("\n");
  },
  process: (line: string) => [...line].reverse().join(""),
  combine: (lines) => lines.join("\n"),
});
expectType<Equal<typeof reverse, Job<string, string>>>();

export function inference(): void {
  const plain = job("plain", { process: (line: string) => line.length });
  expectType<Equal<typeof plain, Job<Iterable<string> | AsyncIterable<string>, number[]>>>();

  const inferred = job("inferred", {
    input: [1, 2],
    process: async (n) => {
      expectType<Equal<typeof n, number>>();
      return { n };
    },
  });
  expectType<Equal<typeof inferred, Job<Iterable<number> | AsyncIterable<number>, { n: number }[]>>>();

  const weighed = job("weighed", {
    async *split(input: { readonly sizes: readonly number[] }, ctx) {
      ctx.log.info("splitting");
      for (const size of input.sizes) yield task({ size }, { cost: size });
    },
    process: (data) => {
      expectType<Equal<typeof data, { size: number }>>();
      return data.size;
    },
    combine: {
      init: () => 0,
      add: (acc, size, index) => {
        expectType<Equal<typeof acc, number>>();
        expectType<Equal<typeof size, number>>();
        expectType<Equal<typeof index, number>>();
        return acc + size;
      },
      finish: (acc) => `${acc}`,
      ordered: false,
    },
    onTaskFailure: "skip",
    concurrency: 8,
    retry: { attempts: 5 },
  });
  expectType<Equal<typeof weighed, Job<{ readonly sizes: readonly number[] }, string>>>();

  const lines = job("lines", {
    inputAs: "lines",
    async *split(input) {
      for await (const line of input) yield line.length;
    },
    process: (length) => length * 2,
    combine: async (doubles) => Math.max(...doubles),
  });
  expectType<Equal<typeof lines, Job<Iterable<string> | AsyncIterable<string>, number>>>();

  const typed = job("typed", {
    params: z.object({ count: z.number() }),
    *split(_input: undefined, { params: { count } }) {
      for (let n = 0; n < count; n++) yield { n };
    },
    process: ({ n }: { readonly n: number }) => n,
    combine: { init: 0, add: (sum, n) => sum + n, finish: (sum) => sum },
  });
  expectType<Equal<typeof typed, Job<undefined, number, { count: number }>>>();
  const annotated = job("annotated", {
    *split(count: number) {
      for (let n = 0; n < count; n++) yield task(n, { cost: n });
    },
    process: (n: number, ctx) => `${n} ${ctx.item.attempt}`,
    combine: { init: 0, add: (acc: number, text: string) => acc + text.length, finish: (acc: number) => acc },
  });
  expectType<Equal<typeof annotated, Job<number, number>>>();
  const unsplit = job("unsplit", {
    process: async (line: string, ctx) => line.length + ctx.item.attempt,
    combine: { init: 0, add: (acc: number, n: number) => acc + n, finish: (acc: number) => `${acc}` },
  });
  expectType<Equal<typeof unsplit, Job<Iterable<string> | AsyncIterable<string>, string>>>();

  job("wrong", {
    params: z.object({ count: z.number() }),
    // @ts-expect-error process takes something else
    *split(_input: undefined, { params: { count } }) {
      yield count;
    },
    process: ({ n }: { readonly n: number }) => n,
  });

  const params = job("params", {
    params: z.object({ factor: z.number() }),
    process: (n: number, ctx) => {
      expectType<Equal<typeof ctx.params.factor, number>>();
      return n * ctx.params.factor;
    },
  });
  expectType<
    Equal<typeof params, Job<Iterable<number> | AsyncIterable<number>, number[], { factor: number }>>
  >();

  const life = job("life", {
    process: {
      setup: () => ({ seen: new Set<string>() }),
      run: (word: string, ctx) => ctx.state.seen.add(word).size,
    },
  });
  expectType<Equal<typeof life, Job<Iterable<string> | AsyncIterable<string>, number[]>>>();
}

export async function running(): Promise<void> {
  const { result } = await run(reverse, { input: "abc" });
  expectType<Equal<typeof result, string | undefined>>();
  const handle = await start(reverse);
  expectType<Equal<typeof handle.done, Promise<Awaited<ReturnType<typeof run<typeof reverse>>>>>>();
  const text = await handle.result();
  expectType<Equal<typeof text, string>>();
  for await (const p of handle.progress()) {
    expectType<Equal<typeof p.done, number>>();
  }
  await handle.cancel();
  const remote = await run<typeof reverse>(new URL("./reverse.ts", import.meta.url), { input: "abc" });
  expectType<Equal<typeof remote.result, string | undefined>>();
}

export async function mistakes(): Promise<void> {
  const lengths = function* (input: string) {
    yield input.length;
  };
  // @ts-expect-error there is nothing to work on a task
  job("none", { split: lengths });
  // @ts-expect-error process takes text, split yields numbers
  job("misfit", { split: lengths, process: (line: string) => line });
  job("misfit-combine", {
    process: (line: string) => line.length,
    // @ts-expect-error the results are numbers
    combine: (lengths: string[]) => lengths.join(""),
  });
  job("misfit-fold", {
    process: (line: string) => line.length,
    // @ts-expect-error the results are numbers
    combine: { init: "", add: (acc: string, length: string) => acc + length, finish: (acc: string) => acc },
  });
  // @ts-expect-error tasks are called one by one
  job("batch", { process: (line: string) => line, batch: { size: 2 } });
  // @ts-expect-error there is no such option
  job("option", { process: (line: string) => line, reduce: () => 1 });
  // @ts-expect-error nor such a choice
  job("choice", { process: (line: string) => line, onTaskFailure: "ignore" });
  // @ts-expect-error the input is text
  await run(reverse, { input: 5 });
}
