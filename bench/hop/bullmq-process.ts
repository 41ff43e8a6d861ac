/**
 * One of the three processes of the BullMQ chain: `producer`, `stage` or `sink`. Started by bullmq.ts, which
 * says `go` when all are ready and `close` at the end.
 */
import { Queue, Worker } from "bullmq";
import { Arrivals } from "./arrivals.ts";
import { addTax, type Item, makeItem } from "./item.ts";

const [role, portText, itemsText] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(portText), maxRetriesPerRequest: null };
const items = Number(itemsText);
const concurrency = 100;
const defaultJobOptions = { removeOnComplete: true };

const closers: Array<{ close(): Promise<void> }> = [];
const send = (message: object) => process.send?.(message);
let go: () => void;
const told = new Promise<void>((resolve) => (go = resolve));
process.on("message", async (message) => {
  if (message === "go") return go();
  for (const closer of closers) await closer.close();
  process.disconnect();
});

// Also when the bench itself was killed.
process.on("disconnect", () => process.exit());

const roles: Record<string, () => Promise<void>> = { producer, stage, sink };
await roles[role as string]?.();

async function producer(): Promise<void> {
  const first = new Queue<Item>("first", { connection, defaultJobOptions });
  closers.push(first);
  await first.waitUntilReady();
  send({ ready: true });
  await told;
  send({ firstAt: Date.now() });
  for (let from = 0; from < items; from += 1_000) {
    const chunk: Array<{ name: string; data: Item }> = [];
    for (let id = from; id < Math.min(from + 1_000, items); id++)
      chunk.push({ name: "item", data: makeItem(id) });
    await first.addBulk(chunk);
  }
}

async function stage(): Promise<void> {
  const second = new Queue<Item>("second", { connection, defaultJobOptions });
  const worker = new Worker<Item>(
    "first",
    async (job) => {
      // Up to 100 of these are on their way over one connection. Gathering them into addBulk was no faster.
      await second.add("item", addTax(job.data));
    },
    { connection, concurrency },
  );
  closers.push(worker, second);
  await worker.waitUntilReady();
  await second.waitUntilReady();
  send({ ready: true });
}

async function sink(): Promise<void> {
  const arrivals = new Arrivals(items);
  const worker = new Worker<Item>(
    "second",
    async (job) => {
      if (arrivals.note(job.data)) send({ arrived: arrivals.report() });
    },
    { connection, concurrency },
  );
  closers.push(worker);
  await worker.waitUntilReady();
  send({ ready: true });
}
