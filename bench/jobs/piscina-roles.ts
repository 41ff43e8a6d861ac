/** Piscina's side of the word count: one process with two threads. */
import { Piscina } from "piscina";
import { compiled } from "../compiled.ts";
import { type Part, playRole } from "../play-role.ts";
import { pieces } from "./pieces.ts";
import { ranges } from "./ranges.ts";
import { Totals } from "./totals.ts";

/** Pieces of text that wait for a thread: enough that none is idle. */
const AHEAD = 8;

async function words([path = "", bytes = "", chunk = "", how = "", threads = ""]: string[]): Promise<Part> {
  const count = Number(threads);
  const filename = compiled("jobs/piscina-worker.mjs");
  const pool = new Piscina({ filename, minThreads: count, maxThreads: count });
  // Each thread has loaded its module.
  const nothing = { path, from: 0, to: 0 };
  await Promise.all(Array.from({ length: count * 4 }, () => pool.run(nothing)));
  return {
    async work() {
      const began = performance.now();
      const totals = new Totals();
      const take = async (task: unknown): Promise<void> =>
        totals.add((await pool.run(task)) as Map<string, number>);
      if (how === "ranges") await Promise.all([...ranges(path, Number(bytes), Number(chunk))].map(take));
      else {
        const source = pieces(path, Number(chunk));
        const lane = async (): Promise<void> => {
          for (let next = source.next(); !next.done; next = source.next()) await take(next.value);
        };
        await Promise.all(Array.from({ length: AHEAD }, lane));
      }
      return { ms: performance.now() - began, ...totals.summary() };
    },
    close: () => pool.close(),
  };
}

await playRole({ words });
