import { mkdirSync, readFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { RedisMissingError, redisVersion } from "../../test/support/redis.ts";
import { filesystemOf } from "../filesystem.ts";
import { inFolder } from "../rows/in-folder.ts";
import { runBullmq } from "./bullmq.ts";
import type { Figures } from "./figures.ts";
import { itemBytes } from "./item.ts";
import { runMillrace } from "./millrace.ts";
import { printHead, printRound, printSummary } from "./table.ts";

const HELP = `node bench/hop/main.mjs [--items N] [--bullmq-items N] [--rounds N] [--floor RATIO] [--folder DIR] [--quick]
  --items N         items through millrace, default 1000000
  --bullmq-items N  items through BullMQ, default 60000
  --rounds N        how often each system runs, in turn; default 3
  --floor RATIO     exit 1 when the median ratio is below; default 30
  --folder DIR      where both keep their data (a real disk); default node_modules/.cache/millrace-bench
  --quick           one round, 1000000 and 20000 items`;

interface Settings {
  readonly items: number;
  readonly bullmqItems: number;
  readonly rounds: number;
  readonly floor: number;
  readonly folder: string;
}

/** Runs both systems in turn, prints the table and gives the exit code. */
export async function main(argv: readonly string[], repository: string): Promise<number> {
  const settings = read(argv, repository);
  if (settings === undefined) return 2;
  let redis: string;
  try {
    redis = redisVersion();
  } catch (error) {
    if (!(error instanceof RedisMissingError)) throw error;
    console.error(error.message);
    return 6;
  }
  // An interrupted bench ends by `exit`, whose listeners end Redis and the run.
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  mkdirSync(settings.folder, { recursive: true });
  const version = (name: string) =>
    JSON.parse(readFileSync(join(repository, `node_modules/${name}/package.json`), "utf8")).version;
  console.log(
    `source → stage → sink in three instances, two durable hops, items of ${itemBytes()} bytes as JSON`,
  );
  console.log(
    "millrace: defaults, fsync before confirm; BullMQ: addBulk by 1,000, concurrency 100, AOF everysec",
  );
  console.log(
    `node ${process.versions.node}, redis ${redis}, bullmq ${version("bullmq")}, ioredis ${version("ioredis")}, ` +
      `${cpus().length} × ${cpus()[0]?.model.trim() || arch()}, ${filesystemOf(settings.folder)}\n`,
  );

  const ours: Figures[] = [];
  const theirs: Figures[] = [];
  printHead();
  try {
    for (let round = 1; round <= settings.rounds; round++) {
      theirs.push(await inFolder(settings.folder, (folder) => runBullmq(settings.bullmqItems, folder)));
      printRound(round, "BullMQ", theirs.at(-1) as Figures);
      ours.push(await inFolder(settings.folder, (folder) => runMillrace(settings.items, folder, repository)));
      printRound(round, "millrace", ours.at(-1) as Figures);
    }
  } catch (error) {
    console.error(`\n${(error as Error).message}`);
    return 1;
  }
  const ratio = printSummary(ours, theirs);
  console.log(
    `\nmedian ratio ${ratio.toFixed(1)}, floor ${settings.floor}: ${ratio >= settings.floor ? "reached" : "NOT reached"}`,
  );
  return ratio >= settings.floor ? 0 : 1;
}

function read(argv: readonly string[], repository: string): Settings | undefined {
  try {
    const text = { type: "string" } as const;
    const options = { items: text, "bullmq-items": text, rounds: text, floor: text, folder: text };
    const { values } = parseArgs({ args: [...argv], options: { ...options, quick: { type: "boolean" } } });
    const quick = values.quick ?? false;
    return {
      items: positive("items", values.items, 1_000_000),
      bullmqItems: positive("bullmq-items", values["bullmq-items"], quick ? 20_000 : 60_000),
      rounds: positive("rounds", values.rounds, quick ? 1 : 3),
      floor: ratio(values.floor ?? "30"),
      folder: resolve(values.folder ?? join(repository, "node_modules/.cache/millrace-bench/data")),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n${HELP}`);
    return undefined;
  }
}

function positive(name: string, given: string | undefined, otherwise: number): number {
  const value = given === undefined ? otherwise : Number(given);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name}: ${given} is not a positive whole number`);
  return value;
}

function ratio(given: string): number {
  const value = Number(given);
  if (!Number.isFinite(value)) throw new Error(`--floor: ${given} is not a number`);
  return value;
}
