/**
 * Counts the words of a book into a table of PostgreSQL: read (ten lines an item) → map (× 2) → reduce.
 *
 *   npm install pg
 *   export DATABASE_URL=postgres://user:password@127.0.0.1/books
 *   millrace run examples/map-reduce/map-reduce.ts --param book=moby-dick.txt --streams amqp://127.0.0.1
 *
 * Kill its processes, the broker or the database while it runs: the table comes out the same.
 */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type Context, pipeline, type SetupContext } from "millrace";
import pg from "pg";
import { z } from "zod";

const params = z.object({ book: z.string() });
type Params = z.infer<typeof params>;

/** Ten lines. Their number is their name: the same however often they are read, mapped or stored. */
interface Page {
  readonly page: number;
  readonly text: string;
}
interface Counts {
  readonly page: number;
  /** JSON, as another program would read it from a queue: `{"whale":3}`. */
  readonly words: string;
}
interface Store {
  readonly pool: pg.Pool;
  readonly run: string;
}

const p = pipeline("map-reduce", { params });

const read = p.source("read", async function* (ctx: Context<Params>): AsyncGenerator<Page> {
  const done = Number(ctx.resume ?? 0);
  let page = 0;
  for await (const text of tenLinesEach(ctx.params.book)) {
    page++;
    if (page <= done) continue;
    yield { page, text };
    if (page % 50 === 0) ctx.checkpoint(page);
  }
});

const map = p.stage(
  "map",
  ({ page, text }: Page): Counts => {
    const words = new Map<string, number>();
    for (const [found] of text.toLowerCase().matchAll(/[a-z]+/g))
      words.set(found, (words.get(found) ?? 0) + 1);
    return { page, words: JSON.stringify(Object.fromEntries(words)) };
  },
  { instances: 2 },
);

const reduce = p.sink(
  "reduce",
  {
    setup: openStore,
    run: (batch: Counts[], ctx: Context<Params, Store>) => add(ctx.state, batch),
    teardown: closeStore,
  },
  {
    batch: { size: 50, withinMs: 50 },
    // A database that is started again is away for seconds: that is no fault of the items.
    retry: { attempts: 20, backoff: { initialMs: 200, factor: 2, maxMs: 5_000, jitter: "full" } },
  },
);

read.to(map).to(reduce);

export default p;

async function openStore(ctx: SetupContext<Params>): Promise<Store> {
  // A pool, not a client: it connects again when the database has been away.
  const pool = new pg.Pool({
    connectionString: process.env.DATABASE_URL,
    application_name: `${ctx.pipeline}/${ctx.stage}`,
    max: 2,
    connectionTimeoutMillis: 10_000,
  });
  pool.on("error", (error) => ctx.log.warn(`database: ${error.message}`));
  await pool.query(`
    CREATE TABLE IF NOT EXISTS pages (run text, page int, PRIMARY KEY (run, page));
    CREATE TABLE IF NOT EXISTS words (run text, word text, times bigint NOT NULL, PRIMARY KEY (run, word));
  `);
  return { pool, run: ctx.run };
}

/**
 * One transaction. A page may come again, when a process was killed after its commit and before that was noted: what
 * the table of pages knows already is not added a second time.
 */
async function add({ pool, run }: Store, batch: readonly Counts[]): Promise<void> {
  const client = await pool.connect();
  let failed: Error | undefined;
  try {
    await client.query("BEGIN");
    const fresh = await client.query<{ page: number }>(
      "INSERT INTO pages SELECT $1, unnest($2::int[]) ON CONFLICT DO NOTHING RETURNING page",
      [run, batch.map(({ page }) => page)],
    );
    const pages = new Set(fresh.rows.map(({ page }) => page));
    const sums = new Map<string, number>();
    for (const { words } of batch.filter(({ page }) => pages.delete(page))) {
      const counts = JSON.parse(words) as Record<string, number>;
      for (const [word, times] of Object.entries(counts)) sums.set(word, (sums.get(word) ?? 0) + times);
    }
    await client.query(
      `INSERT INTO words SELECT $1, * FROM unnest($2::text[], $3::bigint[])
         ON CONFLICT (run, word) DO UPDATE SET times = words.times + EXCLUDED.times`,
      [run, [...sums.keys()], [...sums.values()]],
    );
    await client.query("COMMIT");
  } catch (error) {
    failed = error as Error;
    throw error;
  } finally {
    // Closed after a failure, and its transaction with it.
    client.release(failed);
  }
}

async function closeStore({ pool }: Store): Promise<void> {
  await pool.end();
}

async function* tenLinesEach(file: string): AsyncGenerator<string> {
  let lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity })) {
    lines.push(line);
    if (lines.length === 10) {
      yield lines.join("\n");
      lines = [];
    }
  }
  if (lines.length > 0) yield lines.join("\n");
}
