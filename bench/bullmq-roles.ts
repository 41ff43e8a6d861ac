/** BullMQ's side of the rows: one process a role. */
import { Queue, Worker } from "bullmq";
import { addTax, type Item, makeItem } from "./hop/item.ts";
import { type Part, playRole } from "./play-role.ts";
import { burn } from "./rows/burn.ts";
import { latencies } from "./rows/latencies.ts";
import { pushOneByOne } from "./rows/push-one-by-one.ts";

const connectionTo = (port: string) => ({
  host: "127.0.0.1",
  port: Number(port),
  maxRetriesPerRequest: null,
});
const defaultJobOptions = { removeOnComplete: true };

/** Adds items to `first`, so many a job; reports when it began. */
async function adder([port = "", items = "", pack = ""]: string[]): Promise<Part> {
  const queue = new Queue<Item | Item[]>("first", { connection: connectionTo(port), defaultJobOptions });
  await queue.waitUntilReady();
  const each = Number(pack);
  return {
    async work() {
      const began = Date.now();
      for (let from = 0; from < Number(items); ) {
        const jobs: { name: string; data: Item | Item[] }[] = [];
        while (jobs.length < 1_000 / each && from < Number(items)) {
          const batch = Array.from({ length: each }, (_, i) => makeItem(from + i));
          jobs.push({ name: "item", data: each === 1 ? (batch[0] as Item) : batch });
          from += each;
        }
        await queue.addBulk(jobs);
      }
      return began;
    },
    close: () => queue.close(),
  };
}

/** Works on jobs of one queue and adds to the next, if there is one; `work` reports when the last was done. */
async function worker([
  port = "",
  from = "",
  to = "",
  items = "",
  concurrency = "",
  burnMs = "",
]: string[]): Promise<Part> {
  const connection = connectionTo(port);
  const next = to === "-" ? undefined : new Queue<Item | Item[]>(to, { connection, defaultJobOptions });
  let done = 0;
  let onDone: (at: number) => void;
  const all = new Promise<number>((resolve) => (onDone = resolve));
  const consumer = new Worker<Item | Item[]>(
    from,
    async ({ data }) => {
      if (Number(burnMs) > 0) burn(Number(burnMs));
      const out = Array.isArray(data) ? data.map(addTax) : addTax(data);
      if (next !== undefined) await next.add("item", out);
      done += Array.isArray(out) ? out.length : 1;
      if (done >= Number(items)) onDone(Date.now());
    },
    { connection, concurrency: Number(concurrency) },
  );
  await Promise.all([consumer.waitUntilReady(), next?.waitUntilReady()]);
  return {
    work: () => all,
    close: async () => {
      await consumer.close();
      await next?.close();
    },
  };
}

/** A worker whose function runs in processes of its own. */
async function sandboxed([port = "", items = "", concurrency = "", processor = ""]: string[]): Promise<Part> {
  let done = 0;
  let onDone: (at: number) => void;
  const all = new Promise<number>((resolve) => (onDone = resolve));
  const consumer = new Worker("first", new URL(processor), {
    connection: connectionTo(port),
    concurrency: Number(concurrency),
  });
  consumer.on("completed", () => {
    if (++done === Number(items)) onDone(Date.now());
  });
  await consumer.waitUntilReady();
  return { work: () => all, close: () => consumer.close() };
}

/** Adds a lone job every so often. */
async function prober([port = "", items = "", everyMs = ""]: string[]): Promise<Part> {
  const queue = new Queue<{ sentAt: number }>("first", { connection: connectionTo(port), defaultJobOptions });
  await queue.waitUntilReady();
  return {
    async work() {
      for (let i = 0; i < Number(items); i++) {
        await new Promise((resolve) => setTimeout(resolve, Number(everyMs)));
        await queue.add("item", { sentAt: latencies.now() });
      }
    },
    close: () => queue.close(),
  };
}

/** Notes how long each took to get here. */
async function probed([port = "", items = ""]: string[]): Promise<Part> {
  const seen: number[] = [];
  let onDone: (seen: number[]) => void;
  const all = new Promise<number[]>((resolve) => (onDone = resolve));
  const consumer = new Worker<{ sentAt: number }>(
    "first",
    async ({ data }) => {
      if (seen.push(latencies.now() - data.sentAt) === Number(items)) onDone(seen);
    },
    { connection: connectionTo(port), concurrency: 100 },
  );
  await consumer.waitUntilReady();
  return { work: () => all, close: () => consumer.close() };
}

/** Adds jobs one by one, so many outstanding. */
async function pusher([port = "", items = "", outstanding = ""]: string[]): Promise<Part> {
  const queue = new Queue<Item>("first", { connection: connectionTo(port), defaultJobOptions });
  await queue.waitUntilReady();
  return {
    work: () => pushOneByOne(Number(items), Number(outstanding), (id) => queue.add("item", makeItem(id))),
    close: () => queue.close(),
  };
}

await playRole({ adder, worker, sandboxed, prober, probed, pusher });
