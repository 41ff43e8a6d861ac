import { appendFile } from "node:fs/promises";
import { pipeline } from "millrace";

type Order = { id: number; total: number };

const orders = pipeline("orders");

const feed = orders.source("feed", function* (ctx): Generator<Order> {
  const last = Number(ctx.resume ?? 0); // where an earlier life of this source got to
  for (let id = last + 1; id <= 100_000; id++) {
    yield { id, total: (id * 37) % 2_000 };
    if (id % 1_000 === 0) ctx.checkpoint(id);
  }
});

const check = orders.stage("check", (order: Order) => {
  if (order.total === 0) throw new Error(`order ${order.id} is empty`); // retried, then a dead letter
  return order;
});

const review = orders.stage("review", (order: Order) => ({ ...order, reviewed: true }), { concurrency: 8 });

const write = (batch: Order[]) =>
  appendFile("orders-ledger.ndjson", batch.map((order) => `${JSON.stringify(order)}\n`).join(""));

const ledger = orders.sink("ledger", write, { batch: { size: 500, withinMs: 200 } });

feed.to(check);
check.to(ledger, { when: (order) => order.total < 1_000 });
check.to(review, { when: (order) => order.total >= 1_000 });
review.to(ledger);

export default orders;
