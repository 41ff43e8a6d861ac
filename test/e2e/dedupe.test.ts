import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

test(
  "an item whose like was seen is discarded, over two edges, kill -9 of everything and resume; retries and replays pass",
  LIMIT,
  async () => {
    const project = cliProject({
      "dedupe.ts": `
      import { existsSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline, TerminalError } from "millrace";
      import { note } from "./note.ts";
      type Page = { url: string; from: string; n: number };

      const p = pipeline("dedupe");
      const left = p.source("left", async function* (ctx) {
        for (let n = (ctx.resume as number | undefined) ?? 0; n < 400; n++) {
          if (n === 200) while (!existsSync("go")) await sleep(5);
          yield { url: "page-" + (n % 100), from: "left", n };
          ctx.checkpoint(n + 1);
        }
      });
      const right = p.source("right", async function* () {
        for (let n = 0; n < 150; n++) { yield { url: "page-" + n, from: "right", n }; }
        while (!existsSync("go")) await sleep(5);
        // Without a checkpoint it starts over: all of it comes once more.
      });
      const pass = p.stage("pass", (page: Page) => page, { retry: { attempts: 1 } });
      const visit = p.sink("visit", (page: Page, ctx) => {
        if (page.url === "page-5" && !existsSync("fixed")) throw new TerminalError("not yet");
        if (page.url.endsWith("7") && ctx.item.attempt === 1) throw new Error("once more");
        note(page.url);
      }, { dedupe: { by: (page) => page.url, windowMs: "1h" }, retry: { backoff: { initialMs: 1 } } });
      const broken = p.sink("broken", () => undefined, {
        dedupe: { by: (page: Page) => (page.n === 3 ? (5 as never) : page.url + page.n + page.from), windowMs: 1_000 },
      });
      left.to(visit);
      left.to(pass).to(visit);
      right.to(visit);
      pass.to(broken);
      export default p;
    `,
    });
    const first = project.start("dedupe.ts");
    // page-147 alone is late: it fails first.
    await first.until(() => new Set(project.notes()).size === 149);
    first.signalAll("SIGKILL");
    await first.ended;
    project.write("go", "");
    const { code, json, stderr } = await project.run("dedupe.ts");

    expect(stderr).toContain("resum");
    expect(code).toBe(8);
    expect(unsettled(json)).toEqual({});
    const { visit } = json.stages;
    expect(visit).toMatchObject({ completed: 149, dead: 1 });
    expect(visit?.discarded).toBe((visit?.accepted ?? 0) - 150);
    expect(new Set(project.notes()).size).toBe(149);
    // 400 over each of the edges of left, and right twice.
    expect(visit?.accepted).toBeGreaterThanOrEqual(799 + 300);
    const dead = await project.deadLetters("dedupe/pass");
    expect(dead.map(({ attempts }) => attempts[0]?.error.message)).toEqual([
      "stage broken: its dedupe.by gave back 5 (number); give back a text, at once",
    ]);

    // Its key is in the window still: a dead letter that is replayed passes all the same.
    project.write("fixed", "");
    const replay = ["dead", "replay", "dedupe/visit", "--all", "--json", "--data", project.data];
    const replayed = await project.millrace(replay);
    expect(unsettled(replayed.json)).toEqual({});
    expect(replayed.json.stages.visit).toMatchObject({ completed: 150 });
    expect(project.notes()).toContain("page-5");
  },
);
