import { type Handle, httpPush, pipeline, push, type Source } from "millrace";
import { type Equal, expectType } from "./equal.ts";

interface Order {
  readonly id: number;
}

const p = pipeline("typed");
const feed = p.source("feed", push<Order>());
const door = p.source("door", httpPush<Order>({ port: 8080 }), { capacity: { items: 100 } });

expectType<Equal<typeof feed, Source<Order>>>();
expectType<Equal<typeof door, Source<Order>>>();

feed.to(p.sink("out", (order: Order) => void order.id));
// @ts-expect-error an order is no text
door.to(p.sink("text", (text: string) => void text));

export async function pushes(handle: Handle): Promise<void> {
  await handle.push<Order>("feed", { id: 1 });
  await handle.push<Order>("feed", [{ id: 1 }], {
    key: "a",
    delayMs: "5m",
    priority: "high",
    dedupeKey: "b",
  });
  // @ts-expect-error an order has a number
  await handle.push<Order>("feed", [{ id: "1" }]);
  // @ts-expect-error there is no such priority
  await handle.push("feed", 1, { priority: "urgent" });
  for await (const event of handle.events()) expectType<Equal<typeof event.at, number>>();
}
