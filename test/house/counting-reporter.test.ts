import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const reporter = fileURLToPath(new URL("../support/counting-reporter.ts", import.meta.url));
let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "millrace-reporter-"));
});

afterEach(() => {
  rmSync(project, { recursive: true, force: true });
});

test("a run that passes ends with its count alone on a line", () => {
  const { lines, status } = runTests({ "a.test.ts": "test('one', () => {}); test('two', () => {});" });

  expect(lines.at(-1)).toBe("2 passed, 0 failed");
  expect(status).toBe(0);
});

test("files that do not load and hooks that throw count as failures, not as skips", () => {
  const { lines, status } = runTests({
    "fails.test.ts": "test('fine', () => {}); test('fails', () => { expect(1).toBe(2); });",
    "loads-not.test.ts": "import './nowhere.ts'; test('never', () => {});",
    "hook.test.ts":
      "describe('group', () => { beforeAll(() => { throw new Error('no'); }); test('never', () => {}); });",
  });

  expect(lines.at(-1)).toMatch(/^1 passed, 3 failed/);
  expect(lines.join("\n")).not.toContain("without a reason");
  expect(status).toBe(1);
});

test("a rejection outside any test counts as a failure", () => {
  const { lines, status } = runTests({
    "a.test.ts": "test('one', () => { Promise.reject(new Error('lost')); });",
  });

  expect(lines.at(-1)).toBe("1 passed, 1 failed");
  expect(status).toBe(1);
});

test("a skip without a reason fails the run and is named", () => {
  const { lines, status } = runTests({
    "a.test.ts": "test('one', () => {}); test.skip('two', () => {}); test.todo('three');",
  });

  expect(lines.at(-1)).toBe("1 passed, 0 failed, 2 skipped");
  expect(lines.join("\n")).toContain("skipped without a reason in test/support/skips.json: a.test.ts > two");
  expect(lines.join("\n")).toContain("a.test.ts > three");
  expect(status).toBe(1);
});

test("a skip with a reason passes; one with an empty reason does not", () => {
  const files = {
    "a.test.ts": "test('one', () => {}); describe('g', () => { test.skip('two', () => {}); });",
  };

  expect(runTests(files, [{ test: "a.test.ts > g > two", reason: "needs a tape drive" }]).status).toBe(0);
  expect(runTests(files, [{ test: "a.test.ts > g > two", reason: "" }]).status).toBe(1);
});

test("a skip for want of a program passes on a machine without it, and is no excuse on one that has it", () => {
  const files = { "a.test.ts": "test.skip('one', () => {}); test.skip('two', () => {});" };
  const skip = (without: string) => [{ test: "a.test.ts > *", without, reason: "needs the server" }];

  const { lines, status } = runTests(files, skip("redis-server"), { PATH: "/nowhere" });
  expect(lines.at(-1)).toBe("0 passed, 0 failed, 2 skipped");
  expect(lines.join("\n")).toContain(
    "because redis-server is not on this machine (see: npm run servers): 2 tests",
  );
  expect(status).toBe(0);

  const bin = join(project, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "redis-server"), "");
  expect(runTests(files, skip("redis-server"), { PATH: bin }).status).toBe(1);
});

function runTests(
  files: Record<string, string>,
  skips: { test: string; reason: string; without?: string }[] = [],
  set: NodeJS.ProcessEnv = {},
) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  writeFileSync(
    join(project, "vitest.config.ts"),
    `import { CountingReporter } from ${JSON.stringify(reporter)};
     export default { test: { globals: true, reporters: ["default", new CountingReporter(${JSON.stringify(skips)})] } };`,
  );
  const { VITEST: _, NODE_ENV: __, ...env } = process.env;
  const { stdout, status } = spawnSync(process.execPath, [vitest, "run"], {
    cwd: project,
    encoding: "utf8",
    env: { ...env, ...set },
  });
  return { lines: stdout.trimEnd().split("\n"), status };
}
