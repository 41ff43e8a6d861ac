import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "millrace/testing";
import orders from "./pipeline.ts";

/** In place of the file that the sink writes. */
const stubs = { write: () => undefined };

test("an order gets its total", async () => {
  const { status, received } = await simulate(orders, {
    read: ['{ "id": 1, "item": "tea", "pieces": 3, "price": 5 }'],
    stubs,
  });

  assert.equal(status, "completed");
  assert.deepEqual(received.write, [{ id: 1, item: "tea", pieces: 3, price: 5, total: 15 }]);
});

test("an order without pieces becomes a dead letter, after three attempts; the next one goes on", async () => {
  const { received, retries, dead } = await simulate(orders, {
    read: ['{ "id": 1, "item": "tea", "price": 5 }', '{ "id": 2, "item": "cup", "pieces": 1, "price": 9 }'],
    stubs,
  });

  assert.equal(received.write?.length, 1);
  assert.equal(retries.length, 2);
  assert.deepEqual(
    dead.map(({ stage, item }) => ({ stage, item })),
    [{ stage: "total", item: { id: 1, item: "tea", price: 5 } }],
  );
});
