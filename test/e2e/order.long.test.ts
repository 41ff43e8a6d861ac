import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { unsettled } from "../support/cli-project.ts";
import { disorderIn, killOne, notesOf, orderedProject, reached } from "../support/ordered-run.ts";

const KINDS = ["sink", "stage", "streams", "suspect", "run"] as const;

const LIMIT = { timeout: 120_000 };

test(
  "kill -9 of an instance, of the streams process and of the whole run: the items of a key stay in order",
  LIMIT,
  async () => {
    const settings = { keys: 12, each: 120, options: "concurrency: 3, instances: 2, partitions: 8" };
    const project = orderedProject(settings);
    const running = project.start("ordered.ts");
    await reached(project, running, 300);
    expect(await killOne(running, "sink", () => 0)).toBe(true);
    await reached(project, running, 800);
    expect(await killOne(running, "streams", () => 0)).toBe(true);
    await reached(project, running, 1_400);
    running.signalAll("SIGKILL");
    await running.ended.catch(() => undefined);

    const { code, json } = await project.run("ordered.ts");
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect(json.stages.sink?.dead).toBe(0);
    expect(disorderIn(project.notes(), settings)).toEqual([]);
  },
);

describe("order by key under random kills of everything that can be killed", () => {
  test.each([1, 2, 3, 4, 5, 6])("seed %i", { timeout: 180_000 }, async (seed) => {
    const random = new SeededRandom(seed);
    const pick = (count: number): number => Math.floor(random.float() * count);
    const settings = {
      keys: 10 + pick(30),
      each: 100,
      options: `concurrency: ${1 + pick(6)}, instances: ${1 + pick(3)}, partitions: ${1 + pick(16)}`,
    };
    const project = orderedProject(settings);
    let running = project.start("ordered.ts", [], { timeoutMs: 150_000 });
    const total = settings.keys * settings.each * 2;
    for (let kills = 0; kills < 8; ) {
      const due = ((kills + 1) / 10) * total;
      let isOver = false;
      void running.ended.catch(() => undefined).then(() => (isOver = true));
      while (!isOver && notesOf(project) < due) await sleep(5);
      if (isOver) break;
      await sleep(random.float() * 30);
      const kind = KINDS[pick(KINDS.length)] as (typeof KINDS)[number];
      kills++;
      if (kind !== "run") await killOne(running, kind, pick);
      else {
        running.signalAll("SIGKILL");
        await running.ended.catch(() => undefined);
        running = project.start("ordered.ts", [], { timeoutMs: 150_000 });
      }
    }
    const { code, json } = await running.ended;
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect(disorderIn(project.notes(), settings)).toEqual([]);
  });
});
