import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { type CronOptions, cron, type EveryOptions, every, type Tick } from "../../src/index.ts";
import { type FakeEnv, fakeEnv } from "../support/fake-env.ts";
import { sourceContext } from "../support/source-bench.ts";

/** Takes ticks as an instance does, and lets the world's time pass. */
async function ticking(source: ReturnType<typeof every>, options: { env?: FakeEnv; resume?: unknown } = {}) {
  const env = options.env ?? fakeEnv(nodeEnv.disk);
  const { ctx, checkpoints, stop } = sourceContext({ ...options, env });
  const ticks: Tick[] = [];
  let isOver = false;
  const over = (async () => {
    for await (const tick of await source(ctx as never)) ticks.push(tick);
    isOver = true;
  })();
  const settle = async () => {
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await settle();
  return {
    env,
    ticks,
    checkpoints,
    stop,
    over,
    isOver: () => isOver,
    async pass(ms: number, stepMs = ms) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        env.advance(stepMs);
        await settle();
      }
    },
  };
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("every: a tick after each interval until it is stopped, which leaves no timer", async () => {
  const { env, ticks, checkpoints, pass, stop, over, isOver } = await ticking(every("5m"));
  const start = env.clock.now();
  await pass(15 * MINUTE, 30_000);
  expect(ticks).toEqual([1, 2, 3].map((n) => ({ at: start + n * 5 * MINUTE, n })));
  expect(checkpoints.at(-1)).toEqual(ticks.at(-1));
  expect(isOver()).toBe(false);
  stop();
  await over;
  expect(env.timersPending).toBe(0);

  const atOnce = await ticking(every("5m", { immediately: true }));
  expect(atOnce.ticks).toEqual([{ at: start, n: 1 }]);
  atOnce.stop();
});

test("ticks that nobody waited for come once, not at all, or each; then the rhythm goes on", async () => {
  const resume = { at: 1_000_000 - 65 * MINUTE, n: 7 };
  const takenUp = async (options: EveryOptions) => {
    const source = await ticking(every("10m", options), { resume });
    await source.pass(10 * MINUTE, MINUTE);
    source.stop();
    await source.over;
    return source.ticks.map(({ at, n }) => [(at - resume.at) / MINUTE, n]);
  };
  expect(await takenUp({})).toEqual([
    [60, 8],
    [70, 9],
  ]);
  expect(await takenUp({ missed: "skip" })).toEqual([[70, 8]]);
  expect(await takenUp({ missed: "all" })).toEqual([
    [10, 8],
    [20, 9],
    [30, 10],
    [40, 11],
    [50, 12],
    [60, 13],
    [70, 14],
  ]);
});

test("cron: the times of the line in its time zone, over a change to summer time", async () => {
  const line = (options?: CronOptions) => cron("30 2 * * *", options);
  // In Berlin the clock went from 2:00 to 3:00 on 31 March 2024: what is due between comes at 3:00.
  const resume = { at: Date.UTC(2024, 2, 29, 12), n: 0 };
  const world = fakeEnv(nodeEnv.disk);
  world.advance(Date.UTC(2024, 2, 29, 12) - world.clock.now());
  const berlin = await ticking(line({ timeZone: "Europe/Berlin" }), { env: world, resume });
  await berlin.pass(4 * 24 * HOUR, HOUR);
  berlin.stop();
  await berlin.over;
  expect(berlin.ticks.map(({ at }) => new Date(at).toISOString())).toEqual([
    "2024-03-30T01:30:00.000Z",
    "2024-03-31T01:00:00.000Z",
    "2024-04-01T00:30:00.000Z",
    "2024-04-02T00:30:00.000Z",
  ]);
  expect(world.timersPending).toBe(0);

  const late = await ticking(line({ timeZone: "UTC" }), { env: world, resume });
  expect(late.ticks.map(({ at }) => new Date(at).toISOString())).toEqual(["2024-04-02T02:30:00.000Z"]);
  late.stop();
});

test("a clock that is set back gives no time of day twice, and an interval goes on", async () => {
  const ahead = 1_000_000 + 2 * HOUR;
  const interval = await ticking(every("10m"), { resume: { at: ahead, n: 3 } });
  await interval.pass(10 * MINUTE, MINUTE);
  interval.stop();
  expect(interval.ticks).toEqual([{ at: 1_000_000 + 10 * MINUTE, n: 4 }]);

  const hourly = await ticking(cron("0 * * * *"), { resume: { at: 2 * HOUR, n: 3 } });
  await hourly.pass(3 * HOUR, MINUTE);
  hourly.stop();
  expect(hourly.ticks).toEqual([{ at: 3 * HOUR, n: 4 }]);

  const wasWrong = await ticking(cron("0 * * * *"), { resume: { at: 9_000 * HOUR, n: 3 } });
  await wasWrong.pass(HOUR, MINUTE);
  wasWrong.stop();
  expect(wasWrong.ticks).toEqual([{ at: HOUR, n: 4 }]);
});

test("mistakes are told when the pipeline is written", () => {
  expect(() => every("5 minutes" as never)).toThrow(
    /every\("5 minutes"\): its interval must be milliseconds or a text/,
  );
  expect(() => every(0)).toThrow(/at least 1 ms, got 0/);
  expect(() => every("1s", { missed: "twice" as never })).toThrow(/missed must be "once" or "skip" or "all"/);
  expect(() => cron("61 * * * *")).toThrow(
    /cron\("61 \* \* \* \*"\): it is not a cron line: Invalid value for minute: 61; give minute/,
  );
  expect(() => cron("0 0 30 2 *")).toThrow(/that time never comes/);
  expect(() => cron("* * *")).toThrow(/exactly five, six, or seven/);
  expect(() => cron("")).toThrow(/a line of five or six fields/);
  expect(() => cron("@daily", { timeZone: "Mars/Olympus" })).toThrow(
    /timeZone must be a name such as "Europe\/Berlin" or "UTC", got "Mars\/Olympus"/,
  );
});
