import { pathToFileURL } from "node:url";
import { start } from "millrace";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
import { commandLine, descendants } from "../support/process-tree.ts";

const PIPELINE = `
  import { pipeline, push } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("intake");
  const feed = p.source("feed", push<{ n: number; late?: boolean }>());
  feed.to(p.sink("out", (item: { n: number }, ctx) => note({ n: item.n, key: ctx.item.key, at: Date.now() }, "${"{folder}"}/out")));
  export default p;
`;

function intake(): ReturnType<typeof cliProject> & {
  module: URL;
  seen(): { n: number; key?: string; at: number }[];
} {
  const project = cliProject({});
  project.write("intake.ts", PIPELINE.replace("{folder}", project.folder));
  return Object.assign(project, {
    module: pathToFileURL(project.path("intake.ts")),
    seen: () => project.notes<{ n: number; key?: string; at: number }>("out"),
  });
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const sorted = (items: { n: number }[]): number[] => items.map(({ n }) => n).sort((a, b) => a - b);

/** Of the runs that this process holds. */
function streamsProcesses(): number[] {
  return descendants(process.pid).filter((pid) => commandLine(pid).includes("/streams/main.js"));
}

test("confirmed items survive the death of the streams process, once each; a delay goes on over a restart", {
  timeout: 60_000,
}, async () => {
  const project = intake();
  const options = { data: project.data };
  const handle = await start(project.module, options);
  const pushes: Promise<void>[] = [];
  for (let n = 0; n < 3_000; n++) {
    pushes.push(handle.push("feed", { n }, { key: `k${n % 7}` }));
    if (n === 1_000 || n === 2_000) {
      await pushes[n];
      for (const pid of streamsProcesses()) process.kill(pid, "SIGKILL");
    }
  }
  await Promise.all(pushes);
  await handle.push("feed", [{ n: 3_000 }], { delayMs: 1_500 });
  const delayedAt = Date.now();
  await handle.stop();
  const stopped = await handle.done;
  expect(stopped.status).toBe("stopped");
  await expect(handle.push("feed", { n: -1 })).rejects.toMatchObject({ code: "MR_RUN_OVER" });

  const again = await start(project.module, options);
  expect(again.run).toBe(handle.run);
  await again.close("feed");
  await expect(again.push("feed", { n: -1 })).rejects.toMatchObject({ code: "MR_NOT_PUSHABLE" });
  const result = await again.done;
  expect(result.status).toBe("completed");
  expect(result.stages.feed).toMatchObject({ accepted: 0, emitted: 3_001 });
  const seen = project.seen();
  // What a killed streams process had given out may have been seen twice, and is counted then.
  const repeats = Object.values(result.repeats).reduce((sum, items) => sum + items, 0);
  expect(seen.length - 3_001).toBeLessThanOrEqual(repeats);
  expect([...new Set(sorted(seen))]).toEqual(numbers(3_001));
  expect(result.stages.out).toMatchObject({ accepted: 3_001, completed: 3_001 });
  expect(seen.find(({ n }) => n === 8)?.key).toBe("k1");
  expect((seen.find(({ n }) => n === 3_000)?.at ?? 0) - delayedAt).toBeGreaterThan(1_400);
});
