import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

const GOOD = `
  import { pipeline } from "millrace";
  const p = pipeline("good");
  p.source("feed", () => [1, 2, 3]).to(p.sink("out", () => {}));
  export default p;
`;

test("every command says what it is for, with an example; what is mistyped is suggested", LIMIT, async () => {
  const { millrace } = cliProject({});
  const { stdout: overview } = await millrace(["--help"]);
  const names = (help: string): string[] =>
    [...(help.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "").matchAll(/^ {2}([a-z][\w-]*)/gm)].flatMap(
      ([, name]) => (name === undefined || name === "help" ? [] : [name]),
    );
  expect(names(overview)).toEqual(
    expect.arrayContaining(["run", "init", "test", "explain", "dead", "doctor"]),
  );
  const helps = await Promise.all(
    names(overview).map(async (name) => {
      const { code, stdout } = await millrace([name, "--help"]);
      expect(code, name).toBe(0);
      return { name, stdout, parts: names(stdout) };
    }),
  );
  const nested = helps.flatMap(({ name, parts }) => parts.map((part) => [name, part] as const));
  const leaves = [
    ...helps.filter(({ parts }) => parts.length === 0),
    ...(await Promise.all(
      nested.map(async ([name, part]) => {
        const { stdout } = await millrace([name, part, "--help"]);
        return { name: `${name} ${part}`, stdout };
      }),
    )),
  ];
  for (const { name, stdout } of leaves) {
    expect(stdout).toMatch(new RegExp(`^Usage: millrace ${name} .*\\n\\n\\S.{10,}`));
    expect(stdout, `${name}: an example is missing in src/cli/help.ts`).toMatch(
      new RegExp(`\\nExample:\\n  millrace ${name}`),
    );
  }

  const [typo, flag, version] = await Promise.all([
    millrace(["rnu", "x.ts"]),
    millrace(["run", "x.ts", "--jsno"]),
    millrace(["--version"]),
  ]);
  expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining("Did you mean run?")]);
  expect([flag.code, flag.stderr]).toEqual([2, expect.stringContaining("Did you mean --json?")]);
  expect([version.code, version.stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test("explain: a code, all codes, and a code that there is not; every error leads there", LIMIT, async () => {
  const { millrace } = cliProject({});
  const [one, json, all, unknown, refused] = await Promise.all([
    millrace(["explain", "mr_module_not_found"]),
    millrace(["explain", "MR_MODULE_NOT_FOUND", "--json"]),
    millrace(["explain"]),
    millrace(["explain", "MR_MODUL_NOT_FOUND"]),
    millrace(["run", "not-there.ts"]),
  ]);

  expect({ code: one.code, stderr: one.stderr }).toEqual({ code: 0, stderr: "" });
  expect(one.stdout).toMatch(
    /^MR_MODULE_NOT_FOUND\nwhy +The module, or .*\nto do +check the path[\s\S]*\nexample +`millrace run[\s\S]*\nexit code +3,/,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({ code: "MR_MODULE_NOT_FOUND", group: "Use", exitCode: 3 });
  expect(all.stdout).toMatch(/^The definition\n {2}MR_NO_SOURCE +The pipeline has no source/);
  expect([unknown.code, unknown.stderr]).toEqual([
    3,
    expect.stringMatching(/MR_CODE_UNKNOWN .*MR_MODULE_NOT_FOUND\?/),
  ]);
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringMatching(
      /^error MR_MODULE_NOT_FOUND .*\n {2}to do: .*\n {2}more: millrace explain MR_MODULE_NOT_FOUND\n$/,
    ),
  ]);
});

test("settings: a flag wins over a variable, a variable over the config file", LIMIT, async () => {
  const { millrace, path, write } = cliProject({ "good.ts": GOOD });
  write("millrace.config.ts", 'export default { data: "by-file", instances: { out: 2 } };');
  const [file, variable, flag, instances] = await Promise.all([
    millrace(["run", "good.ts", "--json"]),
    millrace(["run", "good.ts", "--json"], { env: { MILLRACE_DATA: "by-variable" } }),
    millrace(["run", "good.ts", "--json", "--data", "by-flag"], { env: { MILLRACE_DATA: "not-this" } }),
    millrace(["run", "good.ts"], {
      env: { MILLRACE_DATA: "by-variable-2", MILLRACE_INSTANCES: "out=1,none=3" },
    }),
  ]);

  expect([file, variable, flag].map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(["by-file", "by-variable", "by-flag", "not-this"].map((name) => existsSync(path(name)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect([instances.code, instances.stderr]).toEqual([2, expect.stringMatching(/MR_USAGE .*"none"/)]);
  const listed = await millrace(["dead", "list", "good"]);
  expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining("no dead letters")]);

  write("millrace.config.ts", "export default { dada: 1 };");
  const [refused, explained] = await Promise.all([
    millrace(["run", "good.ts"]),
    millrace(["explain", "MR_USAGE"]),
  ]);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/MR_BAD_OPTION .*"dada" \(did you mean data\?\)/),
  ]);
  expect(explained.code).toBe(0);
});

test("commands that are suggested find the data directory of the one that suggests them", LIMIT, async () => {
  const { millrace, data } = cliProject({
    "bad.ts": `import { pipeline, TerminalError } from "millrace";
const p = pipeline("bad");
p.source("feed", () => [1]).to(p.sink("out", () => { throw new TerminalError("no"); }));
export default p;
`,
  });
  const ran = await millrace(["run", "bad.ts", "--data", data, "--param", "__proto__=1"]);
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining("no param is called that")]);
  expect((await millrace(["run", "bad.ts", "--data", data])).code).toBe(8);

  const listed = await millrace(["dead", "list", "bad", "--data", data]);
  const [, ...shown] = /see one: millrace (dead show bad) ID (.*)/.exec(listed.stderr) ?? [];
  const id = /^\S+-0(?= )/m.exec(listed.stdout)?.[0] as string;
  const words = shown.flatMap((part) => part.split(" "));
  expect((await millrace([...words, id])).code).toBe(0);
});

test("init fills a new folder, and leaves alone one in which there is something", LIMIT, async () => {
  const { millrace, path, write } = cliProject({});
  write("taken/notes.txt", "mine");
  mkdirSync(path("fresh/.git"), { recursive: true });
  const [fresh, taken, file] = await Promise.all([
    millrace(["init", "fresh"]),
    millrace(["init", "taken"]),
    millrace(["init", "note.ts"]),
  ]);

  expect([fresh.code, fresh.stderr]).toEqual([
    0,
    expect.stringMatching(/next:\n {2}cd fresh\n {2}npm install\n/),
  ]);
  expect(readdirSync(path("fresh"))).toEqual(
    expect.arrayContaining([
      ".gitignore",
      "package.json",
      "pipeline.test.ts",
      "pipeline.ts",
      "tsconfig.json",
    ]),
  );
  expect([taken.code, taken.stderr]).toEqual([4, expect.stringMatching(/MR_FOLDER_NOT_EMPTY .*notes\.txt/)]);
  expect(readdirSync(path("taken"))).toEqual(["notes.txt"]);
  expect([file.code, file.stderr]).toEqual([4, expect.stringMatching(/MR_FOLDER_NOT_EMPTY .*it is a file/)]);
});

test("test runs TypeScript tests, and shows where they fail", LIMIT, async () => {
  const { millrace } = cliProject({
    "good.ts": GOOD,
    "good.test.ts": `
      import assert from "node:assert/strict";
      import { test } from "node:test";
      import { simulate } from "millrace/testing";
      import good from "./good.ts";
      test("passes", async () => assert.equal((await simulate(good)).status, "completed"));
    `,
    "deep/bad.test.ts": `import { test } from "node:test";
interface Nothing { what: string }

test("fails", (): Nothing => {
  throw new Error("as it should");
});`,
    "node_modules/other/its.test.js": "throw new Error('not ours')",
    "broken/broken.test.ts": "const = 1;",
    "none/none.ts": "",
  });
  const [passed, failed, broken, none] = await Promise.all([
    millrace(["test", "good.test.ts"]),
    millrace(["test", "good.test.ts", "deep"]),
    millrace(["test"]),
    millrace(["test", "none"]),
  ]);

  expect([passed.code, passed.stdout]).toEqual([0, expect.stringMatching(/^. pass 1$/m)]);
  expect([failed.code, failed.stdout]).toEqual([1, expect.stringMatching(/^. pass 1\n. fail 1$/m)]);
  expect(failed.stdout).toMatch(/deep\/bad\.test\.ts:5:/);
  expect([broken.code, broken.stderr]).toEqual([
    1,
    expect.stringMatching(/MR_MODULE_INVALID .*broken\.test\.ts:1/),
  ]);
  expect([none.code, none.stderr]).toEqual([3, expect.stringContaining("there are no files *.test.ts")]);
});
