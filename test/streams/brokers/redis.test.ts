import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type RedisServer, startRedis } from "../../support/redis.ts";
import { isMissing } from "../../support/server-program.ts";
import { brokerAt, connectTo, take, upTo } from "./redis-trial.ts";

const isAway = isMissing("redis-server");
const served = test.skipIf(isAway);

let server: RedisServer;
beforeEach(async () => {
  if (isAway) return;
  server = await startRedis();
});
afterEach(() => server?.stop());

served(
  "frames come out of Redis as they went in, in order, no more than asked for, until they are acknowledged",
  async () => {
    const trial = await connectTo(brokerAt(`${server.url}/3`));
    const { session } = trial;
    expect(session.server).toMatch(/^Redis \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+$/);
    expect(session.confirmSurvives).toBe("process-death");
    expect(session.maxFrameBytes).toBe(512 * 1024 * 1024);
    await session.declare("millrace.orders.r1.parse");
    const frames = upTo(50).map((n) => Buffer.from([0, 255, 13, 10, n, ...Buffer.alloc(n * 100, n)]));
    await Promise.all(frames.map((frame, i) => session.publish("millrace.orders.r1.parse", i + 1, frame)));
    expect(await session.waiting("millrace.orders.r1.parse")).toBe(50);

    const { intake, arrivals, numbers } = take(trial, "millrace.orders.r1.parse", 7);
    await vi.waitFor(() => expect(numbers).toEqual(upTo(7)));
    expect(await session.waiting("millrace.orders.r1.parse")).toBe(43);
    for (const arrival of arrivals.slice(0, 3)) arrival.ack();
    await vi.waitFor(() => expect(numbers).toEqual(upTo(10)));
    intake.limit(100);
    await vi.waitFor(() => expect(numbers).toEqual(upTo(50)));
    expect(arrivals.map(({ bytes }) => bytes)).toEqual(frames);
    for (const arrival of arrivals) {
      arrival.ack();
      arrival.ack();
    }
    await vi.waitFor(async () => expect(await session.waiting("millrace.orders.r1.parse")).toBe(0));
    // One that comes while the server is waited in.
    await session.publish("millrace.orders.r1.parse", 51, Buffer.from("late"));
    await vi.waitFor(() => expect(numbers.at(-1)).toBe(51));
    await session.drop("millrace.orders.r1.parse");
    await session.drop("millrace.orders.r1.parse");
    await session.close();
    expect(trial.lost).toEqual([]);
  },
);
