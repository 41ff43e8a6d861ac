import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "millrace-floors-"));
});

afterEach(() => {
  rmSync(tree, { recursive: true, force: true });
});

describe("check-floors finds", () => {
  test.each([
    ["an import that points up", "wire/frame.ts", 'import { run } from "../run/run.ts";', "upward-import"],
    ["a type that points up", "wire/frame.ts", 'import type { Run } from "../run/run.ts";', "upward-import"],
    [
      "an inline type that points up",
      "wire/frame.ts",
      'let a: import("../run/run.ts").Run;',
      "upward-import",
    ],
    ["a dynamic import up", "agent/agent.ts", 'const m = await import("../cli/main.ts");', "upward-import"],
    ["a re-export from above", "errors.ts", 'export { x } from "./env/env.ts";', "upward-import"],
    ["a step up within floor 0", "env/env.ts", 'import { f } from "../wire/frame.ts";', "upward-import"],
    ["a sibling", "agent/agent.ts", 'import "../coordinator/lease.ts";', "sibling-import"],
    ["a sibling at the top", "cli/main.ts", 'import { run } from "../index.ts";', "sibling-import"],
    ["a folder on no floor", "helpers/x.ts", "export const x = 1;", "unknown-folder"],
    ["an import of a folder on no floor", "cli/x.ts", 'import "../helpers/x.ts";', "unknown-folder"],
    ["a way out of src", "cli/x.ts", 'import "../../test/x.ts";', "leaves-src"],
    ["the disk", "run/run.ts", 'import { readFile } from "node:fs/promises";', "environment"],
    ["the disk by its old name", "run/run.ts", 'import fs from "fs";', "environment"],
    ["a thread", "instance/loop.ts", 'import { Worker } from "node:worker_threads";', "environment"],
    ["the wall clock", "agent/agent.ts", "const t = Date.now();", "environment"],
    ["the wall clock as a date", "agent/agent.ts", "const t = new Date();", "environment"],
    ["the monotonic clock", "agent/agent.ts", "const t = performance\n  .now();", "environment"],
    ["chance", "wire/ids.ts", "const x = Math.random();", "environment"],
    ["random bytes", "wire/ids.ts", "const x = randomBytes(8);", "environment"],
    ["a timer", "async/wait.ts", "setTimeout(resolve, 5);", "environment"],
    ["a timer passed on", "async/wait.ts", "const later = globalThis.setTimeout;", "environment"],
    ["a signal with a timer", "async/wait.ts", "const s = AbortSignal.timeout(5);", "environment"],
    ["a use inside a template", "wire/ids.ts", "const s = `a ${`b ${Date.now()}`}`;", "environment"],
    ["the environment", "run/run.ts", "const home = process.env.HOME;", "process"],
    ["the arguments", "testing/x.ts", "const a = process.argv;", "process"],
    ["an exit", "instance/main.ts", "process.exit(1);", "process"],
  ])("%s", (_what, file, line, rule) => {
    write(file, `// first line\n${line}\n`);

    const { status, stderr } = check(tree);

    expect(stderr).toMatch(new RegExp(`^src/${file.replace(".", "\\.")}:[123]: ${rule}: `, "m"));
    expect(stderr).toContain("floors: 1 violations");
    expect(status).toBe(1);
  });

  test("the line of each of several violations", () => {
    write("wire/frame.ts", 'import "../env/env.ts";\n\nconst a = Date.now();\n\nconst b = Math.random();\n');

    const { stderr } = check(tree);

    expect(stderr).toMatch(/^src\/wire\/frame\.ts:3: /m);
    expect(stderr).toMatch(/^src\/wire\/frame\.ts:5: /m);
  });
});

describe("check-floors lets pass", () => {
  test.each([
    [
      "imports that point down",
      "run/run.ts",
      'import "../agent/a.ts";\nimport type { E } from "../errors.ts";',
    ],
    ["imports within a folder", "streams/server.ts", 'import { x } from "./embedded/file.ts";'],
    ["imports from a nested folder", "streams/embedded/file.ts", 'import { x } from "../../wire/frame.ts";'],
    ["the world in env", "env/node-env.ts", 'import fs from "node:fs";\nconst t = Date.now();'],
    ["the world in cli and testing", "cli/main.ts", 'import "node:fs";\nprocess.exit(Date.now());'],
    [
      "words in comments",
      "wire/frame.ts",
      "// Date.now() and setTimeout\n/* process.exit\n Math.random() */",
    ],
    [
      "words in texts",
      "wire/frame.ts",
      "const s = \"Date.now()\" + 'x setTimeout(' + `process.env ${1} new Date()`;",
    ],
    ["words in regular expressions", "wire/frame.ts", 'const r = /"Date.now"[/]/.test("x") ? 4 / 2 / 1 : 0;'],
    ["dates of a known time", "wire/frame.ts", "const d = new Date(5);"],
    ["methods named like timers", "streams/server.ts", "socket.setTimeout(5); timers.setTimeout(1);"],
    [
      "the package's own manifest",
      "cli/main.ts",
      'import p from "../../package.json" with { type: "json" };',
    ],
  ])("%s", (_what, file, text) => {
    write(file, text);

    const { status, stderr } = check(tree);

    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

test("the source of millrace keeps to the floors", () => {
  const { status, stderr } = check(repository);

  expect(stderr).toBe("");
  expect(status).toBe(0);
});

test("ARCHITECTURE.md prints the table that is checked", () => {
  const { stdout } = spawnSync(process.execPath, ["scripts/check-floors.mjs", "--table"], {
    cwd: repository,
    encoding: "utf8",
  });

  expect(stdout).toContain("| 0 | `errors.ts`");
  expect(readFileSync(join(repository, "ARCHITECTURE.md"), "utf8")).toContain(stdout.trim());
});

function write(file: string, text: string): void {
  const path = join(tree, "src", file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function check(root: string) {
  return spawnSync(process.execPath, ["scripts/check-floors.mjs", root], {
    cwd: repository,
    encoding: "utf8",
  });
}
