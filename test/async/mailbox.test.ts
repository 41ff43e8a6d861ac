import { expect, test } from "vitest";
import { Mailbox } from "../../src/async/mailbox.ts";
import { nodeEnv } from "../../src/env/node.ts";

const unexpected = (error: Error): void => {
  throw error;
};

test("items are handled one at a time, in order, and never from within push", async () => {
  const log: string[] = [];
  const mailbox = new Mailbox<number>(
    nodeEnv.timers,
    async (n) => {
      log.push(`begin ${n}`);
      await nodeEnv.timers.sleep(n === 1 ? 10 : 0);
      log.push(`end ${n}`);
    },
    { onError: unexpected },
  );
  mailbox.push(1);
  mailbox.push(2);
  expect(log).toEqual([]);
  await expect.poll(() => log.length).toBe(4);
  expect(log).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
});

test("what a handler pushes waits for the next turn, so that timers and sockets get theirs", async () => {
  let handled = 0;
  const mailbox: Mailbox<number> = new Mailbox(
    nodeEnv.timers,
    (n) => {
      handled++;
      mailbox.push(n + 1);
    },
    { onError: unexpected },
  );
  mailbox.push(0);
  await nodeEnv.timers.sleep(5);
  expect(handled).toBeGreaterThan(1);
  expect(mailbox.close()).toHaveLength(1);
});

test("closing hands back what waits and lets through nothing more, even from within a handler", async () => {
  const handled: number[] = [];
  const rest: number[] = [];
  const mailbox: Mailbox<number> = new Mailbox(
    nodeEnv.timers,
    (n) => {
      handled.push(n);
      if (n === 2) rest.push(...mailbox.close());
    },
    { onError: unexpected },
  );
  for (const n of [1, 2, 3, 4]) mailbox.push(n);
  await expect.poll(() => handled.length).toBe(2);
  expect(rest).toEqual([3, 4]);
  expect(mailbox.push(5)).toBe(false);
  await nodeEnv.timers.sleep(1);
  expect(handled).toEqual([1, 2]);
});
