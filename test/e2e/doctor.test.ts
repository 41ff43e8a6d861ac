import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Check } from "../../src/cli/doctor-check.ts";
import { checkMemory, checkNode } from "../../src/cli/doctor-machine.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { type CliProject, cliProject, type RunSettings } from "../support/cli-project.ts";
import { killTree } from "../support/process-tree.ts";

async function examine(
  project: CliProject,
  data = project.data,
  settings: RunSettings = {},
): Promise<{ code: number | null; ok: boolean; of: Record<string, Check> }> {
  const { code, stdout } = await project.millrace(["doctor", "--json", "--data", data], settings);
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
  return { code, ok, of: Object.fromEntries(checks.map((check) => [check.name, check])) };
}

const PLAIN = `
  import { pipeline } from "millrace";
  const p = pipeline("plain");
  p.source("feed", function* () { yield 1; }).to(p.sink("out", () => {}));
  export default p;
`;

const ENDLESS = PLAIN.replace(
  "function* () { yield 1; }",
  "async function* () { yield 1; await new Promise(() => setInterval(() => {}, 1_000)); }",
);

test("a machine on which runs work is well, and nothing is made for the asking", async () => {
  const project = cliProject({});

  const { code, ok, of } = await examine(project);

  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(Object.keys(of)).toEqual(["node", "memory", "sockets", "processes", "compiler", "data", "streams"]);
  expect(Object.values(of).filter((check) => check.status === "fail")).toEqual([]);
  expect(of.processes?.detail).toMatch(/ends \d+ ms after its agent was killed/);
  expect(existsSync(project.data)).toBe(false);
});

test("a data directory: how long a flush takes, and that no run is unfinished; nothing is left behind", async () => {
  const project = cliProject({ "plain.ts": PLAIN });
  expect((await project.run("plain.ts")).code).toBe(0);
  const before = readdirSync(project.data, { recursive: true });

  const { code, of } = await examine(project);

  expect(code).toBe(0);
  expect(of.data).toMatchObject({ status: "ok", detail: expect.stringContaining("GB are free") });
  expect(of.flush?.detail).toMatch(/\d\.\d\d ms \(median of 20\)|survives a power cut|server/);
  expect(of.runs).toMatchObject({ status: "ok", detail: "1 run, none unfinished" });
  expect(readdirSync(project.data, { recursive: true })).toEqual(before);
});

test("a run at work is named with its process; one that was killed is to be resumed, its lock is no obstacle", {
  timeout: 60_000,
}, async () => {
  const project = cliProject({ "plain.ts": ENDLESS });
  const running = project.start("plain.ts", [], { timeoutMs: 50_000 });
  await running.until((said) => said.includes("plain runs"));
  expect((await examine(project)).of.runs).toMatchObject({
    status: "ok",
    detail: expect.stringContaining(`is at work (process ${running.pid})`),
  });

  killTree(running.pid);
  await running.ended;
  const { code, of } = await examine(project);

  expect(code).toBe(0);
  expect(of.runs).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/was interrupted, with a lock of process \d+, which is gone/),
    fix: expect.stringContaining("--new"),
  });
});

test.each([
  ["a directory that is not millrace's", "foreign"],
  ["a file", "file"],
])("%s as data directory fails, and says what to do: exit code 1", async (_what, name) => {
  const project = cliProject({ file: "x" });
  mkdirSync(project.path("foreign"));
  writeFileSync(join(project.path("foreign"), "precious"), "x");

  const { code, ok, of } = await examine(project, project.path(name));

  expect({ code, ok }).toEqual({ code: 1, ok: false });
  expect(of.data).toMatchObject({
    status: "fail",
    detail: expect.stringContaining(name),
    fix: expect.stringContaining("--data"),
  });
  expect(readdirSync(project.path("foreign"))).toEqual(["precious"]);
});

test("a runtime folder in which no socket can be made fails", async () => {
  const project = cliProject({ file: "x" });

  const { code, of } = await examine(project, project.data, {
    env: { XDG_RUNTIME_DIR: project.path("file") },
  });

  expect(code).toBe(1);
  expect(of.sockets).toMatchObject({ status: "fail", fix: expect.stringContaining("XDG_RUNTIME_DIR") });
});

test("for people: a line a check, and what to do below it", async () => {
  const project = cliProject({});

  const { code, stdout } = await project.millrace(["doctor", "--data", project.path("note.ts")]);

  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok {4}sockets /m);
  expect(stdout).toMatch(/^fail {2}data .*\n +to do: /m);
});

test.each([
  ["18.20.0", "fail"],
  ["20.18.3", "fail"],
  ["20.19.0", "warn"],
  ["22.12.0", "ok"],
  ["23.1.0", "warn"],
  ["24.0.0", "ok"],
] as const)("Node %s: %s", (version, status) => {
  expect(checkNode(version).status).toBe(status);
});

test("a container's limit counts, not the machine's memory", () => {
  expect(checkMemory(nodeEnv, 256 * 1024 * 1024)).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/^256 MB/),
  });
});
