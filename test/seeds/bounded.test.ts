import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readLock } from "../../src/env/lock-file.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { connectControlSocket } from "../../src/mmop/socket-link.ts";
import type { RunAddress } from "../../src/run/run-address.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 60_000 };

test(
  "no stage ends early: not while the other instance before it is still at work, nor in a quiet stretch of its source",
  LIMIT,
  async () => {
    const project = cliProject({
      "late.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { many, pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("late");
      // Quiet for longer than any look at the streams takes, then one more item.
      const feed = p.source("feed", async function* () { yield* ["long", "short", "short", "short"]; await sleep(3_000); yield "last"; });
      const produce = p.stage("produce", async function* (kind: string) {
        // One instance is busy with this for long after the other has nothing more to do.
        if (kind === "long") { await sleep(4_500); for (let n = 0; n < 50; n++) yield "long " + n; }
        else yield kind;
      }, { instances: 2 });
      const count = p.stage("count", (text: string) => many([text]), { instances: 2 });
      feed.to(produce).to(count).to(p.sink("out", { run: (text: string) => note(text), teardown: () => note("teardown", "teardown") }));
      export default p;
    `,
    });
    const { code, json } = await project.run("late.ts");
    expect(code).toBe(0);
    const expected = [
      ...Array.from({ length: 50 }, (_, n) => `long ${n}`),
      "short",
      "short",
      "short",
      "last",
    ];
    expect(project.notes<string>().sort()).toEqual(expected.sort());
    expect(unsettled(json)).toEqual({});
    expect(json.stages.out).toMatchObject({ accepted: 54, completed: 54 });
    expect(project.notes("teardown")).toHaveLength(1);
  },
);

test(
  "the process of a stage dies while another holds its last item: the stage waits for both",
  LIMIT,
  async () => {
    const project = cliProject({
      "held.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("held");
      const feed = p.source("feed", () => ["dies", "a", "b", "c"]);
      const work = p.stage("work", async (text: string, ctx) => {
        note([text, ctx.item.id], "calls");
        if (text === "dies") { await sleep(300); process.abort(); }
        await sleep(50);
        return text;
      }, { instances: 2 });
      feed.to(work).to(p.sink("out", (text: string) => note(text)));
      export default p;
    `,
    });
    const { code, json } = await project.run("held.ts");
    expect(code).toBe(8);
    expect(project.notes<string>().sort()).toEqual(["a", "b", "c"]);
    expect(json.stages.work).toMatchObject({ accepted: 4, completed: 3, dead: 1 });
    expect(unsettled(json)).toEqual({});
  },
);

test(
  "how many instances run, and what is complete, can be asked of a live run until it is done",
  LIMIT,
  async () => {
    const project = cliProject({
      "asked.ts": `
      import { existsSync } from "node:fs";
      import { pipeline } from "millrace";
      const p = pipeline("asked");
      const first = p.source("first", () => [1, 2, 3]);
      const second = p.source("second", async function* () {
        while (!existsSync("go")) await new Promise((done) => setTimeout(done, 10));
        yield 4;
      });
      const pass = p.stage("pass", (n: number) => n, { instances: 2 });
      const out = p.sink("out", () => {});
      first.to(pass).to(out);
      second.to(out);
      export default p;
    `,
    });
    const running = project.start("asked.ts", [], { timeoutMs: 50_000 });
    await running.until((said) => said.includes("asked runs"));
    const link = await control(project, "asked");
    const counts = async () => {
      const { pipelines } = await link.request("coord.pipeline-info", {});
      return Object.fromEntries(
        (pipelines[0]?.stages ?? []).map(({ stage, counts }) => [stage, [counts.running, counts.completed]]),
      );
    };
    // The stage behind the first source alone ends by itself; the sink, which the second source feeds, goes on.
    let seen = await counts();
    while (seen.pass?.[1] !== 1) seen = await counts();
    expect(seen).toEqual({ first: [0, 1], second: [1, 0], pass: [0, 1], out: [1, 0] });

    project.write("go", "");
    const { code, json } = await running.ended;
    expect(code).toBe(0);
    expect(json.status).toBe("completed");
    expect(json.stages.out).toMatchObject({ accepted: 4, completed: 4 });
  },
);

/** A connection to the control socket of the project's only run, once it says where that is. */
async function control(
  project: CliProject,
  pipeline: string,
): Promise<Awaited<ReturnType<typeof connectControlSocket>>> {
  const [run = ""] = readdirSync(join(project.data, pipeline));
  for (;;) {
    const holder = await readLock(nodeEnv, join(project.data, pipeline, run, "lock"));
    if (holder !== undefined && holder.note !== "") {
      const address = JSON.parse(holder.note) as RunAddress;
      return await connectControlSocket(nodeEnv, address.control, { self: { name: "test", boot: "1" } });
    }
    await nodeEnv.timers.sleep(10);
  }
}
