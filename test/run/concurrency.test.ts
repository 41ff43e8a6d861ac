import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { pipeline, run } from "../../src/index.ts";

test.each([
  ["auto", "auto" as const, 8],
  ["a range", { min: 2, max: 5 }, 5],
])(
  "concurrency that is %s grows while more calls at once do more",
  { timeout: 60_000 },
  async (_what, concurrency, goal) => {
    let active = 0;
    let most = 0;
    const p = pipeline("auto");
    p.source("feed", async function* () {
      // Until it has been seen, however busy this machine is.
      for (let n = 0; most < goal && n < 1_000_000; n++) {
        if (n % 50 === 0) await sleep(1);
        yield n;
      }
    }).to(
      p.sink(
        "slow",
        async () => {
          most = Math.max(most, ++active);
          await sleep(4);
          active--;
        },
        { concurrency, instances: 1, capacity: { items: 2_000 } },
      ),
    );
    const { status } = await run(p);

    expect(status).toBe("completed");
    expect(most).toBeGreaterThanOrEqual(goal);
    if (concurrency !== "auto") expect(most).toBe(5);
  },
);
