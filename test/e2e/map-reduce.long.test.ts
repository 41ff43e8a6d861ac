import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, type QueryResultRow } from "pg";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { countsOf, unsettled } from "../support/cli-project.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";
import { type RabbitmqServer, startRabbitmq } from "../support/rabbitmq.ts";
import { type RunningCli, startCli } from "../support/run-cli.ts";
import { processesOf } from "../support/run-processes.ts";
import { isMissing } from "../support/server-program.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LIMIT = { timeout: 180_000 };
const served = test.skipIf(isMissing("rabbitmq-server", "postgres"));
const module = fileURLToPath(new URL("../../examples/map-reduce/map-reduce.ts", import.meta.url));

let rabbitmq: RabbitmqServer | undefined;
let postgres: PostgresServer | undefined;
afterEach(async () => {
  await Promise.all([rabbitmq?.stop(), postgres?.stop()]);
  rabbitmq = undefined;
  postgres = undefined;
});

served(
  "a book's words are mapped and reduced over RabbitMQ's queues and upserted into PostgreSQL, and nothing is left in either",
  LIMIT,
  async () => {
    [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
    const { run, book } = startBook(22_000, rabbitmq.url, postgres.url);
    const seen = new Set<string>();
    const over = run.ended.then(() => true);
    while (!(await Promise.race([over, sleep(100, false)]))) {
      for (const name of await queuesOf(rabbitmq)) seen.add(name);
    }
    const { code, json, stderr } = await run.ended;
    const ours = [...seen].filter((name) => name.startsWith(`millrace.map-reduce.${json.run}.`)).join("\n");
    expect(ours).toMatch(/\.map\b/);
    expect(ours).toMatch(/\.reduce\b/);

    expect(stderr).not.toContain("MR_");
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect(countsOf(json)).toMatchObject({
      read: { emitted: 2_200 },
      map: { accepted: 2_200, completed: 2_200 },
      reduce: { accepted: 2_200, completed: 2_200 },
    });
    expect(await tableOf(postgres.url)).toEqual(countWords(book));
    expect(await queuesOf(rabbitmq)).toEqual([]);
    expect(
      await query(postgres.url, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'map-reduce%'"),
    ).toEqual([]);
  },
);

served(
  "RabbitMQ, PostgreSQL and the instances are killed under way: every word is counted exactly once",
  LIMIT,
  async () => {
    [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
    const { run, book } = startBook(300_000, rabbitmq.url, postgres.url);
    const url = postgres.url;
    const atLeast = (pages: number) => untilPages(run, url, pages);

    await atLeast(100);
    const instances = processesOf(run.pid, { source: "read", sink: "reduce" }).filter(
      ({ kind }) => kind !== "streams",
    );
    expect(new Set(instances.map(({ stage }) => stage))).toContain("reduce");
    for (const { pid } of instances) process.kill(pid, "SIGKILL");
    await atLeast(2_000);
    await rabbitmq.kill();
    rabbitmq = await rabbitmq.restart();
    await atLeast(6_000);
    await postgres.kill();
    expect(processesOf(run.pid, { source: "read", sink: "reduce" })).not.toEqual([]);
    postgres = await postgres.restart();

    const { code, json } = await run.ended;
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect(json.stages.reduce?.dead).toBe(0);
    expect(await tableOf(postgres.url)).toEqual(countWords(book));
    expect(await queuesOf(rabbitmq)).toEqual([]);
  },
);

/** The run of the example over a book of so many lines, on its way. */
function startBook(lines: number, streams: string, database: string): { run: RunningCli; book: string } {
  const { folder, write } = tempFolder();
  const words = ["the", "sea", "Whale", "of", "a", "and", "call", "me", "ship", "harpoon"];
  const line = (n: number) =>
    n % 11 === 0
      ? ""
      : `Call me ${words[n % 7]}: ${words[(n * 7) % 10]} ${words[(n * 3) % 9]}, chapter of word${(n % 997).toString(26)}.`;
  const book = Array.from({ length: lines }, (_, n) => `${line(n)}\n`).join("");
  write("book.txt", book);
  const args = ["run", module, "--json", "--param", "book=book.txt", "--streams", streams, "--data", "data"];
  const run = startCli(args, { cwd: folder, timeoutMs: 150_000, env: { DATABASE_URL: database } });
  onTestFinished(async () => {
    run.signal("SIGKILL");
    await run.ended.catch(() => undefined);
  });
  return { run, book };
}

function countWords(book: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of book.toLowerCase().match(/[a-z]+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

async function tableOf(database: string): Promise<Map<string, number>> {
  const rows = await query<{ word: string; times: string }>(database, "SELECT word, times FROM words");
  return new Map(rows.map(({ word, times }) => [word, Number(times)]));
}

async function untilPages(run: RunningCli, database: string, pages: number): Promise<void> {
  let isOver = false;
  run.ended.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  for (;;) {
    const rows = await query<{ n: number }>(database, "SELECT count(*)::int AS n FROM pages").catch(() => []);
    if ((rows[0]?.n ?? 0) >= pages) return;
    if (isOver)
      throw new Error(
        `the run ended with fewer than ${pages} pages stored: ${JSON.stringify(await run.ended)}`,
      );
    await sleep(20);
  }
}

async function query<Row extends QueryResultRow>(database: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: database, application_name: "test" });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function queuesOf(server: RabbitmqServer): Promise<string[]> {
  return (await server.control("list_queues", "name", "--no-table-headers"))
    .split("\n")
    .filter((name) => name !== "");
}
