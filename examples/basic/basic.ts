/**
 * Four stages in a row, over 75 random messages, each in one to four processes:
 *
 *   messages -> trim (x 1) -> words (x 2) -> longest (x 3) -> shout (x 4) -> results: basic-out/0.txt …
 *
 *   millrace run examples/basic/basic.ts --param seed:=7
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Context, pipeline } from "millrace";
import { z } from "zod";

const params = z.object({
  count: z.number().int().positive().default(75),
  seed: z.number().int().positive().default(1),
  out: z.string().default("basic-out"),
});
type Params = z.infer<typeof params>;

/** What goes from stage to stage: the message's number, and what has become of it. */
interface Message<T> {
  readonly n: number;
  readonly given: string;
  readonly value: T;
}

const p = pipeline("basic", { params });

const messages = p.source("messages", function* (ctx: Context<Params>): Generator<Message<string>> {
  const { count, seed } = ctx.params;
  const first = Number(ctx.resume ?? 0);
  for (let n = first; n < count; n++) {
    const given = randomMessage(seed * 1_000_003 + n);
    yield { n, given, value: given };
    ctx.checkpoint(n + 1);
  }
});
const trim = p.stage("trim", (m: Message<string>) => ({ ...m, value: m.value.trim() }), { instances: 1 });
const words = p.stage("words", (m: Message<string>) => ({ ...m, value: m.value.split(/ +/) }), {
  instances: 2,
});
const longest = p.stage(
  "longest",
  (m: Message<string[]>) => ({ ...m, value: m.value.reduce((a, b) => (b.length > a.length ? b : a)) }),
  { instances: 3 },
);
const shout = p.stage("shout", (m: Message<string>) => ({ ...m, value: `${m.value.toUpperCase()}!` }), {
  instances: 4,
});

// Named by the message, and there as a whole or not at all: a message that comes twice does no harm.
const results = p.sink("results", async ({ n, given, value }: Message<string>, ctx: Context<Params>) => {
  await mkdir(ctx.params.out, { recursive: true });
  const path = join(ctx.params.out, `${n}.txt`);
  await writeFile(`${path}.${process.pid}.new`, `${given}\n${value}\n`);
  await rename(`${path}.${process.pid}.new`, path);
});

messages.to(trim).to(words).to(longest).to(shout).to(results);

export default p;

/** Two to nine words with too many spaces: the same for the same seed, so that a source that starts again gives them again. */
function randomMessage(seed: number): string {
  let state = (seed % 2_147_483_646) + 1;
  const below = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  const letters = (): string => String.fromCharCode(97 + below(26));
  const word = (): string => Array.from({ length: 1 + below(12) }, letters).join("");
  const spaces = (): string => " ".repeat(1 + below(3));
  return `${spaces()}${Array.from({ length: 2 + below(8) }, () => word() + spaces()).join("")}`;
}
