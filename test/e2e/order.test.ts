import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
import { disorderIn, orderedProject } from "../support/ordered-run.ts";

const LIMIT = { timeout: 60_000 };

test(
  "an item that kills its process is dead-lettered at its place; before and after it its key is in order",
  LIMIT,
  async () => {
    const settings = {
      keys: 4,
      each: 30,
      options: "concurrency: 2, partitions: 2",
      deed: `if (item.key === "key-1" && item.n === 10) process.abort();`,
    };
    const project = orderedProject(settings);
    const { code, json } = await project.run("ordered.ts");
    expect(code).toBe(8);
    expect(json.stages.sink).toMatchObject({ accepted: 120, completed: 119, dead: 1 });
    const [letter] = await project.deadLetters("ordered/sink");
    expect(letter).toMatchObject({ reason: "killed", item: { key: "key-1", n: 10 } });
    // As if it had been done at its last call.
    const notes = project.notes<Parameters<typeof disorderIn>[0][number]>();
    const last = notes.findLastIndex(({ key, n }) => key === "key-1" && n === 10);
    notes.splice(last + 1, 0, { ...(notes[last] as (typeof notes)[number]), what: "done" });
    expect(disorderIn(notes, settings)).toEqual([]);
  },
);

test(
  "the attempts of an item that holds its key outlive the run; other partitions are refused while items wait",
  LIMIT,
  async () => {
    const module = (partitions: number): string => `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("held");
      p.source("feed", function* () { yield* [1, 2, 3]; })
        .to(p.sink("sink", (n: number, ctx) => { note([n, ctx.item.attempt]); if (n === 1) throw new Error("no"); }, {
          orderBy: () => "all", partitions: ${partitions},
          retry: { attempts: 4, backoff: { initialMs: 300, factor: 1, jitter: "none" } },
        }));
      export default p;
    `;
    const project = cliProject({ "held.ts": module(4) });
    const running = project.start("held.ts");
    await running.until(() => project.notes().length === 2);
    running.signal("SIGINT");
    expect((await running.ended).code).toBe(130);
    expect(project.notes()).toEqual([
      [1, 1],
      [1, 2],
    ]);

    project.write("held.ts", module(5));
    const refused = await project.millrace(["run", "held.ts", "--data", project.data]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("3 items wait that were placed with orderBy over 4 partitions");
    expect(refused.stderr).toContain("--new");

    project.write("held.ts", module(4));
    const { code, json } = await project.run("held.ts");
    expect(code).toBe(8);
    expect(json.stages.sink).toMatchObject({ accepted: 3, completed: 2, dead: 1 });
    expect(project.notes().slice(2)).toEqual([
      [1, 3],
      [1, 4],
      [2, 1],
      [3, 1],
    ]);
    const [letter] = await project.deadLetters("held/sink");
    expect(letter?.attempts).toHaveLength(4);
  },
);
