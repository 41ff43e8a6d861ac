import { expect, test } from "vitest";
import { recordKeys } from "../../src/records/record-store.ts";
import type { Delivery, Transaction } from "../../src/streams/contract.ts";
import { openOn, settle } from "../streams/power-cuts.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";

const nothing: Transaction = { settlements: [], appends: [], records: [], marks: [], counts: [] };
const letter = recordKeys.deadLetter("a", "bad");

/** The item is done for: it is settled as dead and its letter is written, as an instance does it. */
const bury = ({ stream, frame }: Delivery): Transaction => ({
  ...nothing,
  settlements: [{ stream, frame, from: 0, to: 1, outcome: "dead" }],
  records: [{ key: letter, value: Buffer.from("why") }],
});

test("a dead letter that cannot be written leaves its item to be done; with room again it is written once", async () => {
  const disk = new FakeDisk(seededChance(1));
  const first = await openOn(disk, true, 10_000);
  await first.engine.transact({
    ...nothing,
    appends: [{ stream: "a", frame: frameOf(["bad"]), count: 1, delayMs: 0, isNew: true }],
  });
  await settle();
  const [delivery] = first.deliveries;

  disk.capacity = disk.usedBytes + 10;
  await expect(first.engine.transact(bury(delivery as Delivery))).rejects.toMatchObject({
    code: "MR_DISK_FULL",
  });
  expect(first.engine.stats("a").unsettled).toBe(1);
  expect(await first.engine.records.get(letter)).toBeUndefined();
  await first.engine.close();

  disk.capacity = Number.POSITIVE_INFINITY;
  const second = await openOn(disk, true, 10_000);
  await settle();
  expect(second.deliveries.flatMap(({ content: { bytes } }) => textsOf(bytes))).toEqual(["bad"]);
  await second.engine.transact(bury(second.deliveries[0] as Delivery));

  expect(second.engine.stats("a").unsettled).toBe(0);
  expect(second.engine.counts().get("a")?.get("dead")).toBe(1);
  expect((await second.engine.records.get(letter))?.toString()).toBe("why");
});
