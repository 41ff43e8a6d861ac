/** BullMQ's side of the jobs: one process a role. Results are collected where the tasks were added. */
import { Queue, QueueEvents, Worker } from "bullmq";
import { type Part, playRole } from "../play-role.ts";
import { countWords } from "./count-words.ts";
import { type Range, ranges } from "./ranges.ts";
import { Totals } from "./totals.ts";

const connectionTo = (port: string) => ({
  host: "127.0.0.1",
  port: Number(port),
  maxRetriesPerRequest: null,
});
/** Jobs of one `addBulk`. */
const BULK = 1_000;

/** Adds all tasks and takes every result; `work` resolves with the milliseconds that took. */
async function collecting<Data>(
  port: string,
  tasks: () => Iterable<Data>,
  total: number,
  take: (result: unknown) => void,
): Promise<{ work(): Promise<number>; close(): Promise<void> }> {
  const connection = connectionTo(port);
  const queue = new Queue("tasks", {
    connection,
    defaultJobOptions: { removeOnComplete: true },
    // Of its usual 10,000 events some would be gone before they are read.
    streams: { events: { maxLen: total * 4 + 10_000 } },
  });
  const events = new QueueEvents("tasks", { connection });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  return {
    async work() {
      const began = performance.now();
      let done = 0;
      const all = new Promise<void>((resolve) => {
        events.on("completed", ({ returnvalue }) => {
          take(returnvalue);
          if (++done === total) resolve();
        });
      });
      let bulk: { name: string; data: Data }[] = [];
      for (const data of tasks()) {
        if (bulk.push({ name: "task", data }) < BULK) continue;
        await queue.addBulk(bulk);
        bulk = [];
      }
      await queue.addBulk(bulk);
      await all;
      return performance.now() - began;
    },
    async close() {
      await events.close();
      await queue.close();
    },
  };
}

async function noopCaller([port = "", tasks = ""]: string[]): Promise<Part> {
  const total = Number(tasks);
  let sum = 0;
  function* ids(): Generator<number> {
    for (let id = 0; id < total; id++) yield id;
  }
  const { work, close } = await collecting(port, ids, total, (result) => {
    sum += Number(result);
  });
  return {
    async work() {
      const ms = await work();
      if (sum !== (total * (total - 1)) / 2) throw new Error(`bullmq: the results' sum is ${sum}`);
      return ms;
    },
    close,
  };
}

async function wordsCaller([port = "", path = "", bytes = "", chunk = ""]: string[]): Promise<Part> {
  const all = [...ranges(path, Number(bytes), Number(chunk))];
  const totals = new Totals();
  const { work, close } = await collecting(
    port,
    () => all,
    all.length,
    (result) => totals.add(result as [string, number][]),
  );
  return { work: async () => ({ ms: await work(), ...totals.summary() }), close };
}

async function worker(
  port: string,
  concurrency: number,
  run: (data: unknown) => Promise<unknown>,
): Promise<Part> {
  const connection = connectionTo(port);
  const consumer = new Worker("tasks", ({ data }) => run(data), { connection, concurrency });
  await consumer.waitUntilReady();
  return { work: async () => undefined, close: () => consumer.close() };
}

await playRole({
  noopCaller,
  wordsCaller,
  noopWorker: ([port = ""]) => worker(port, 100, async (id) => id),
  wordsWorker: ([port = ""]) => worker(port, 1, async (range) => [...countWords(range as Range)]),
});
