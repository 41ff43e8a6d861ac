import { createReadStream } from "node:fs";
import { appendFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pipeline } from "millrace";

interface Order {
  readonly id: number;
  readonly item: string;
  readonly pieces: number;
  readonly price: number;
}

const orders = pipeline("orders");

/** The lines of orders.jsonl. After a crash it goes on where its last checkpoint was stored. */
const read = orders.source("read", async function* (ctx): AsyncGenerator<string> {
  const done = Number(ctx.resume ?? 0);
  let number = 0;
  for await (const line of createInterface({ input: createReadStream("orders.jsonl") })) {
    number++;
    if (number <= done) continue;
    yield line;
    ctx.checkpoint(number);
  }
});

const parse = orders.stage("parse", (line: string) => JSON.parse(line) as Order);

/** What throws is tried again; after three attempts the order is a dead letter, and the others go on. */
const total = orders.stage("total", (order: Order) => {
  if (!(order.pieces > 0)) throw new Error(`order ${order.id}: pieces is ${order.pieces}`);
  return { ...order, total: order.pieces * order.price };
});

/** After a crash a row may be written a second time: give it a key (its id) where that matters. */
const write = orders.sink(
  "write",
  async (rows: object[]) => {
    await appendFile("totals.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  },
  { batch: { size: 100, withinMs: 100 } },
);

read.to(parse).to(total).to(write);

export default orders;
