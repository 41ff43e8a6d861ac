import { mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { RedisMissingError, redisVersion } from "../test/support/redis.ts";
import { amqp } from "./engines/amqp.ts";
import { nats } from "./engines/nats.ts";
import { redis } from "./engines/redis.ts";
import { filesystemOf } from "./filesystem.ts";
import { type Bench, type Measured, type Row, verdictOf } from "./row.ts";
import { antnest } from "./rows/antnest.ts";
import { backlog } from "./rows/backlog.ts";
import { broadway } from "./rows/broadway.ts";
import { cpu } from "./rows/cpu.ts";
import { engineRows } from "./rows/engine-rows.ts";
import { hops } from "./rows/hops.ts";
import { idleMemory } from "./rows/idle-memory.ts";
import { instanceStart } from "./rows/instance-start.ts";
import { jobLarge } from "./rows/job-large.ts";
import { jobMemory } from "./rows/job-memory.ts";
import { latencyP50, latencyP99 } from "./rows/latency.ts";
import { packed } from "./rows/packed.ts";
import { push } from "./rows/push.ts";
import { raw } from "./rows/raw.ts";
import { sandboxed } from "./rows/sandboxed.ts";
import { tasks } from "./rows/tasks.ts";
import { words } from "./rows/words.ts";
import { spread } from "./spread.ts";

const ROWS: readonly Row[] = [
  hops,
  push,
  sandboxed,
  packed,
  raw,
  broadway,
  cpu,
  latencyP50,
  latencyP99,
  instanceStart,
  idleMemory,
  backlog,
  tasks,
  antnest,
  words,
  jobMemory,
  jobLarge,
  ...[amqp, nats, redis].flatMap(engineRows),
];

const HELP = `npm run bench -- [ROW...] [--rounds N] [--quick] [--folder DIR] [--json]
  ROW           ${ROWS.map(({ name }) => name).join(", ")}; default: all of them
  --rounds N    how often each row is measured; the median counts; default 3
  --quick       one round with small numbers: to see that it works
  --antnest DIR a clone of github.com/mtahmed/antnest, for the row of that name; default $ANTNEST
  --broadway DIR  a compiled Broadway, for the rows broadway and cpu; default $BROADWAY
  --folder DIR  where data is kept (a real disk); default node_modules/.cache/millrace-bench/data
  --json        the rows as one JSON array`;

/** Measures the rows, prints the table; the exit code is 1 when one is below its floor. */
export async function main(argv: readonly string[], repository: string): Promise<number> {
  let rows: readonly Row[];
  let values: {
    rounds?: string;
    antnest?: string;
    broadway?: string;
    quick?: boolean;
    folder?: string;
    json?: boolean;
  };
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const options = { rounds: text, antnest: text, broadway: text, quick: flag, folder: text, json: flag };
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
    values = parsed.values;
    rows = parsed.positionals.length === 0 ? ROWS : parsed.positionals.map(rowOf);
    redisVersion();
  } catch (error) {
    console.error(
      error instanceof RedisMissingError ? error.message : `${(error as Error).message}\n${HELP}`,
    );
    return error instanceof RedisMissingError ? 6 : 2;
  }
  // An interrupted bench ends by `exit`, whose listeners end what it has started.
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  const quick = values.quick ?? false;
  const folder = resolve(values.folder ?? join(repository, "node_modules/.cache/millrace-bench/data"));
  mkdirSync(folder, { recursive: true });
  const say = values.json === true ? console.error : console.log;
  const clone = values.antnest ?? process.env.ANTNEST;
  const compiled = values.broadway ?? process.env.BROADWAY;
  say(
    `node ${process.versions.node}, redis ${redisVersion()}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${filesystemOf(folder)}${quick ? ", quick: these figures mean little" : ""}\n`,
  );
  const printed: object[] = [];
  let isBelow = false;
  const rounds = quick ? 1 : Math.max(1, Number(values.rounds ?? 3));
  const seen = new Map<Row, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    const known = new Map<string, Promise<unknown>>();
    const bench: Bench = {
      repository,
      folder,
      quick,
      ...(clone && { antnest: resolve(clone) }),
      ...(compiled && { broadway: resolve(compiled) }),
      once: <T>(name: string, measure: () => Promise<T>) => {
        const value = known.get(name) ?? measure();
        known.set(name, value);
        return value as Promise<T>;
      },
    };
    for (const row of rows) seen.set(row, [...(seen.get(row) ?? []), await measured(row, bench)]);
  }
  for (const row of rows) {
    const all = seen.get(row) ?? [];
    const numbers = all.map(({ value }) => value).filter((value) => value !== undefined);
    const middle = numbers.length === all.length ? spread(numbers).median : undefined;
    const shown = all.find(({ value }) => value === middle) ?? all.at(-1) ?? { text: "" };
    const median: Measured = { text: shown.text, ...(middle === undefined ? {} : { value: middle }) };
    const verdict = verdictOf(row, median);
    isBelow ||= verdict === "BELOW FLOOR";
    const { name, what, peer, floor, aim, format } = row;
    printed.push({ name, what, peer, floor, aim, value: middle, text: median.text, verdict });
    const limits =
      floor === undefined || aim === undefined ? "" : `floor ${format(floor)}, aim ${format(aim)}: `;
    say(`${name.padEnd(12)} ${what}`);
    say(`${"".padEnd(12)} against ${peer}`);
    say(`${"".padEnd(12)} ${middle === undefined ? "" : `${format(middle)}: `}${median.text}`);
    say(`${"".padEnd(12)} ${limits}${verdict}\n`);
  }
  if (values.json === true) console.log(JSON.stringify(printed, undefined, 2));
  return isBelow ? 1 : 0;
}

/** A row that fails says so in its place: the others are measured all the same. */
async function measured(row: Row, bench: Bench): Promise<Measured> {
  try {
    return await row.measure(bench);
  } catch (error) {
    return { text: `failed: ${(error as Error).message}` };
  }
}

function rowOf(name: string): Row {
  const row = ROWS.find((known) => known.name === name);
  if (row === undefined) throw new Error(`${name}: no row is called so`);
  return row;
}
