import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run, start } from "millrace";
import { expect, onTestFinished, test } from "vitest";

const SOON = { timeout: 30_000 };

const MODULE = `
  import { pipeline, push } from "millrace";
  import * as z from "zod";
  const p = pipeline("orders");
  const feed = p.source("feed", push());
  const schema = z.object({ n: z.number(), total: z.number().optional() });
  feed.to(p.sink("out", (item) => { if (item.total === undefined) throw new Error("no total: " + item.n); },
    { retry: { attempts: 1 }, schema }));
  export default p;
`;

test("a handle of a run in processes repairs its dead letters while it lives and when it is over", {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-dead-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // n.b. packages are found from where the module lies.
  const file = new URL(`../support/dead-${process.pid}.tmp.ts`, import.meta.url);
  writeFileSync(file, MODULE);
  onTestFinished(() => rmSync(file, { force: true }));
  const options = { data: join(folder, "data") };
  const module = pathToFileURL(file.pathname);

  const handle = await start(module, options);
  await handle.push("feed", [{ n: 0 }, { n: 1 }, { n: 2 }]);
  await expect.poll(() => handle.dead.count(), SOON).toBe(3);
  const first = handle.dead.edit({}, (item) => ({ ...(item as object), total: "much" }));
  await expect(first).rejects.toMatchObject({ code: "MR_ITEM_INVALID" });
  let left = 2;
  const edit = handle.dead.edit({}, (item) => (left-- > 0 ? { ...(item as object), total: 1 } : undefined));
  expect(await edit).toEqual({ edited: 2 });
  expect(await handle.dead.replay({ stage: "out" })).toEqual({ replayed: 3, unreadable: [] });
  await expect.poll(() => handle.dead.count(), SOON).toBe(1);
  await handle.close("feed");
  expect(await handle.done).toMatchObject({ status: "completed", deadLetters: 1 });

  // The run is over: its letters are read and put back in its data, and another run takes them along.
  for await (const letter of handle.dead.list()) expect(letter).toMatchObject({ stage: "out", replay: 1 });
  expect(await handle.dead.edit({}, (item) => ({ ...(item as object), total: 2 }))).toEqual({ edited: 1 });
  expect(await handle.dead.replay({})).toMatchObject({ replayed: 1 });
  const again = await run(module, { ...options, resume: handle.run });
  expect(again).toMatchObject({ run: handle.run, status: "completed", deadLetters: 0 });
  expect(again.stages.out).toMatchObject({ accepted: 7, completed: 3, dead: 4 });
});
