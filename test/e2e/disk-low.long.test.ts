import { existsSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import { freePort } from "../support/free-port.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const ITEMS = 1_500;

test("a disk that is low holds back sources and pushes while stored items go on, and the run ends by itself", {
  timeout: 120_000,
}, async () => {
  const port = await freePort();
  const project = cliProject({
    "low.ts": `
      import { existsSync } from "node:fs";
      import { httpPush, pipeline } from "millrace"; import { note } from "./note.ts";
      const p = pipeline("low");
      const feed = p.source("feed", function* () {
        for (let n = 0; n < ${ITEMS}; n++) yield { n, text: String(n % 10).repeat(15_000) };
      });
      const door = p.source("door", httpPush<{ n: number }>({ port: ${port} }));
      const out = p.sink("out", async ({ n }: { n: number }) => {
        while (!existsSync("go")) await new Promise((resolve) => setTimeout(resolve, 20));
        note(n);
      }, { concurrency: 8 });
      feed.to(out); door.to(out);
      export default p;
    `,
  });
  // The store would need 22 MB, were all of it there at once.
  mountSmallDisk(project.data, "size=12m");
  const post = (n: number): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify({ n }) });
  const running = project.start("low.ts");
  await running.until((stderr) => stderr.includes("the disk is low"));
  await running.until((stderr) => stderr.includes("takes items"));

  const status = await project.millrace(["status", "low", "--json", "--data", project.data]);
  expect(JSON.parse(status.stdout)).toMatchObject([{ status: "running", disk: "low" }]);
  for (const _ of [1, 2]) {
    const refused = await post(-1);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  }
  writeFileSync(project.path("items.jsonl"), '{"n":-2}\n');
  const patient = project.startCommand(["push", "low/door", "items.jsonl", "--data", project.data]);
  expect(existsSync(project.path("notes.jsonl"))).toBe(false);

  project.write("go", "");
  expect((await patient.ended).code).toBe(0);
  await running.until((stderr) => stderr.includes("the disk has room again"));
  await project.millrace(["push", "low/door", "--close", "--data", project.data]);
  const { code, json, stderr } = await running.ended;

  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("MR_DISK_FULL") });
  expect(unsettled(json)).toEqual({});
  const seen = project.notes<number>();
  expect(seen.filter((n) => n >= 0).sort((a, b) => a - b)).toEqual(
    Array.from({ length: ITEMS }, (_, n) => n),
  );
  expect(seen.filter((n) => n < 0)).toEqual([-2]);
});

test("with a stage between a fast feed and a slower sink what is on its way goes through a disk that is low, and the feed waits", {
  timeout: 180_000,
}, async () => {
  const items = 8_000;
  const project = cliProject({
    "three.ts": `
      import { pipeline } from "millrace"; import { note } from "./note.ts";
      const p = pipeline("three");
      const feed = p.source("feed", function* () {
        for (let n = 0; n < ${items}; n++) yield { n, text: String(n % 10).repeat(15_000) };
      });
      const half = p.stage("half", ({ n, text }: { n: number; text: string }) => ({ n, text: text.slice(0, 14_000) }));
      const out = p.sink("out", async ({ n }: { n: number }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        note(n);
      }, { concurrency: 4 });
      feed.to(half).to(out);
      export default p;
    `,
  });
  // Each of the two streams would need well over 100 MB. What is to stay free is more than all that may be on its way
  // (8 MB from each process), as the 256 MB of a larger disk are: the 5 % of one as small as this would not be.
  mountSmallDisk(project.data, "size=64m");
  const { code, json, stderr } = await project.start("three.ts", ["--keep-free", "20MB"]).ended;

  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("the disk is low") });
  expect(stderr).not.toContain("MR_DISK_FULL");
  expect(unsettled(json)).toEqual({});
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: items }, (_, n) => n));
});
