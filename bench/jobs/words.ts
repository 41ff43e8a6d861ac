import { readFileSync } from "node:fs";
import { join } from "node:path";
import { countProcessorTime } from "../processor-time.ts";
import { startRoles } from "../roles.ts";
import type { Bench } from "../row.ts";
import { inFolder } from "../rows/in-folder.ts";
import { millraceRun } from "../rows/millrace-run.ts";
import { withRedisRoles } from "../rows/with-redis.ts";
import type { Summary } from "./totals.ts";

export interface Text {
  readonly path: string;
  readonly bytes: number;
}

/** Task by range of bytes, or by the text itself. */
export type How = "ranges" | "pieces";

export interface Counted extends Summary {
  /** From the first task to the last result. */
  readonly ms: number;
  /** With start and end of all processes. */
  readonly wholeMs: number;
  /** Processor time of all processes, with their start and end; seconds, undefined where it cannot be known. */
  readonly cpu: number | undefined;
}

const WORKERS = 2;
const CHUNK = 1024 * 1024;
/** An item has at most 960 KiB. */
const PIECE = 512 * 1024;
const CHUNKS = [256 * 1024, CHUNK, 4 * CHUNK, 16 * CHUNK] as const;

/** Our job; its tasks are ranges of 1 MiB, or pieces of half of that. */
export async function ourWords(bench: Bench, { path, bytes }: Text, how: How): Promise<Counted> {
  return await inFolder(bench.folder, async (folder) => {
    const out = join(folder, "began");
    const module = how === "ranges" ? "words-job.ts" : "shipped-words-job.ts";
    const params = { text: path, bytes, chunk: how === "ranges" ? CHUNK : PIECE, out };
    const cpu = countProcessorTime();
    const began = performance.now();
    const { result } = await millraceRun(
      bench.repository,
      `bench/jobs/${module}`,
      params,
      join(folder, "data"),
    );
    const wholeMs = performance.now() - began;
    const { lastAt, ...summary } = result as Summary & { lastAt: number };
    return { ms: lastAt - Number(readFileSync(out, "utf8")), wholeMs, cpu: cpu.stop().seconds, ...summary };
  });
}

/** Piscina's best of several sizes of task, each in a process of its own. */
export async function piscinaWords({ path, bytes }: Text, how: How): Promise<Counted & { chunk: number }> {
  let best: (Counted & { chunk: number }) | undefined;
  for (const chunk of CHUNKS) {
    const cpu = countProcessorTime();
    const began = performance.now();
    const roles = await startRoles("jobs/piscina-roles.mjs", [
      { role: "words", args: [path, bytes, chunk, how, WORKERS] },
    ]);
    let counted: Omit<Counted, "wholeMs" | "cpu">;
    try {
      counted = (await roles.go("words")) as Omit<Counted, "wholeMs" | "cpu">;
    } finally {
      await roles.close();
    }
    const all = { ...counted, chunk, wholeMs: performance.now() - began, cpu: cpu.stop().seconds };
    if (best === undefined || all.ms < best.ms) best = all;
  }
  return best as Counted & { chunk: number };
}

/** BullMQ with as many worker processes, by ranges of 1 MiB. */
export async function bullmqWords(
  bench: Bench,
  { path, bytes }: Text,
): Promise<Omit<Counted, "wholeMs" | "cpu">> {
  return await withRedisRoles(
    bench.folder,
    "jobs/bullmq-roles.mjs",
    ({ port }) => [
      ...Array.from({ length: WORKERS }, (_, n) => ({
        role: "wordsWorker",
        name: `worker ${n}`,
        args: [port],
      })),
      { role: "wordsCaller", args: [port, path, bytes, CHUNK] },
    ],
    async (roles) => (await roles.go("wordsCaller")) as Omit<Counted, "wholeMs" | "cpu">,
  );
}
