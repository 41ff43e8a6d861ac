/**
 * Counts the words of all Markdown and text files under a folder, on two processes: read → count (× 2) → totals.
 *
 *   millrace run examples/word-count/word-count.ts --param folder=node_modules --param out=word-count-totals.tsv
 *
 * A word is a run of ASCII letters, lower-cased: what `tr -cs A-Za-z '\n' | tr A-Z a-z` makes of the files.
 * Kill one of its processes or all of them, start it again, and the totals come out the same.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type Context, pipeline, type SetupContext } from "millrace";
import { z } from "zod";

const params = z.object({
  folder: z.string().default("node_modules"),
  out: z.string().default("word-count-totals.tsv"),
});
type Params = z.infer<typeof params>;

/** A piece of a file. Where it lies is its name: the same however often it is read or counted. */
interface Piece {
  readonly file: string;
  readonly at: number;
  readonly text: string;
}
interface Counts {
  readonly piece: string;
  readonly words: Map<string, number>;
}

const p = pipeline("word-count", { params });

const read = p.source("read", async function* (ctx: Context<Params>): AsyncGenerator<Piece> {
  const start = (ctx.resume ?? { file: "", at: 0 }) as { file: string; at: number };
  for (const file of await textFiles(ctx.params.folder)) {
    if (file < start.file) continue;
    const text = await readFile(join(ctx.params.folder, file), "utf8");
    for (let at = file === start.file ? start.at : 0; at < text.length; ) {
      const end = endOfWord(text, at + 32_768);
      yield { file, at, text: text.slice(at, end) };
      at = end;
      ctx.checkpoint({ file, at });
    }
  }
});

const count = p.stage("count", countWords, { instances: 2 });

// A piece may come twice: when a process was killed after the work and before that was noted. So the sink writes
// what it gets to a journal before it returns, reads that again when it starts, and leaves out pieces it knows.
// Totals kept in memory alone would lose counts in a crash, or have them twice.
const totals = p.sink(
  "totals",
  {
    setup: (ctx: SetupContext<Params>) => openTotals(ctx.params.out, ctx.run),
    async run(batch: Counts[], ctx: Context<Params, Totals>) {
      const { seen, journal } = ctx.state;
      const news = new Map(
        batch.filter(({ piece }) => !seen.has(piece)).map((each) => [each.piece, each.words]),
      );
      // A line that a crash cuts short does not spoil the next one, which starts with a line end of its own.
      for (const entry of news) await journal.appendFile(`\n${JSON.stringify([entry[0], [...entry[1]]])}`);
      await journal.datasync();
      for (const [piece, words] of news) add(ctx.state, piece, words);
    },
    teardown: writeTotals,
  },
  { instances: 1, batch: { size: 100, withinMs: 100 } },
);

read.to(count).to(totals);

export default p;

function countWords({ file, at, text }: Piece): Counts {
  const words = new Map<string, number>();
  for (const [found] of text.matchAll(/[A-Za-z]+/g)) {
    const word = found.toLowerCase();
    words.set(word, (words.get(word) ?? 0) + 1);
  }
  return { piece: `${file}:${at}`, words };
}

interface Totals {
  readonly out: string;
  readonly journal: FileHandle;
  readonly seen: Set<string>;
  readonly words: Map<string, number>;
}

/** The journal belongs to the run: resumed, it goes on; a new run has a new one. */
async function openTotals(out: string, run: string): Promise<Totals> {
  await mkdir(dirname(out), { recursive: true });
  const path = `${out}.${run}.journal`;
  const totals: Totals = { out, journal: await open(path, "a"), seen: new Set(), words: new Map() };
  for (const line of (await readFile(path, "utf8")).split("\n")) {
    try {
      const [piece, words] = JSON.parse(line) as [string, Array<[string, number]>];
      add(totals, piece, words);
    } catch {
      // Empty, or cut short by a crash: its piece comes again.
    }
  }
  return totals;
}

function add(totals: Totals, piece: string, words: Iterable<[string, number]>): void {
  if (totals.seen.has(piece)) return;
  totals.seen.add(piece);
  for (const [word, times] of words) totals.words.set(word, (totals.words.get(word) ?? 0) + times);
}

async function writeTotals({ out, journal, words }: Totals): Promise<void> {
  await journal.close();
  const sorted = [...words].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  await writeFile(`${out}.new`, sorted.map(([word, times]) => `${times}\t${word}\n`).join(""));
  await rename(`${out}.new`, out);
  for (const [word, times] of sorted.slice(0, 20)) console.log(`${String(times).padStart(8)} ${word}`);
}

/** Paths below `folder` in a fixed order. Links are not followed. */
async function textFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /\.(md|txt)$/.test(entry.name));
  return files.map((file) => relative(folder, join(file.parentPath, file.name))).sort();
}

/** The first place from `at` on that does not cut a word in two. */
function endOfWord(text: string, at: number): number {
  while (at < text.length && /[A-Za-z]/.test(text.charAt(at))) at++;
  return at;
}
