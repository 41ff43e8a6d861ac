import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
import { processesOf } from "../support/run-processes.ts";

const MB = 1024 * 1024;
const MEASURED_MS = 40_000;
const EVERY_MS = 1_000;

test("a source that floods a sink which crawls makes no process grow: memory is bounded, what waits is on disk", {
  timeout: 180_000,
}, async () => {
  const project = cliProject({
    "flood.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("flood");
      const feed = p.source("feed", async function* () {
        for (let n = 0; ; n++) { yield { n, text: "x".repeat(100) }; if (n % 2_000 === 0) await sleep(4); }
      });
      const pass = p.stage("pass", (item: { n: number }) => item);
      feed.to(pass).to(p.sink("out", async ({ n }: { n: number }) => { await sleep(20); note(n); }));
      export default p;
    `,
  });
  const running = project.start("flood.ts", [], { timeoutMs: 150_000 });
  await running.until(() => project.notes().length > 20);
  const memory = new Map<string, number[]>();
  for (let i = 0; i < MEASURED_MS / EVERY_MS; i++) {
    await sleep(EVERY_MS);
    const processes = processesOf(running.pid, { source: "feed", sink: "out" });
    for (const { kind, pid } of [...processes, { kind: "command", pid: running.pid }]) {
      memory.set(kind, [...(memory.get(kind) ?? []), residentBytes(pid) / MB]);
    }
  }
  running.signal("SIGINT");
  const { code, json } = await running.ended;
  expect(code).toBe(130);

  // A flood it was: far more than memory would have kept this small came in, and hardly any of it could go out.
  const given = json.stages.feed?.emitted ?? 0;
  const waiting = (json.stages.out?.accepted ?? 0) - (json.stages.out?.completed ?? 0);
  process.stdout.write(`${given} items given, ${waiting} wait at the sink\n`);
  for (const [kind, samples] of memory)
    process.stdout.write(`${kind}: ${samples.map((mb) => mb.toFixed(0)).join(" ")} MB\n`);
  expect(given).toBeGreaterThan(2_000_000);
  expect([...memory.keys()].sort()).toEqual(["command", "sink", "source", "stage", "streams"]);
  for (const [kind, samples] of memory) {
    // What waits at the end, a gigabyte, is twice what waited half way; memory is what it was, but for the
    // collector's whims.
    const half = samples.slice(samples.length / 4, samples.length / 2);
    const late = Math.max(...samples.slice(-samples.length / 4));
    expect(late, `${kind}: ${samples.join(" ")}`).toBeLessThan(Math.max(...half) * 1.5 + 60);
    expect(late, kind).toBeLessThan(500);
  }
});

function residentBytes(pid: number): number {
  const [, resident = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return Number(resident) * 4_096;
}
