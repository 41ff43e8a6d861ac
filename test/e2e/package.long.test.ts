import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT = { timeout: 180_000 };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder in which nothing but the packed package is installed. */
let folder: string;
let installed: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-package-"));
  const { stdout } = await command("npm", ["pack", "--silent", "--pack-destination", folder], repository);
  installed = join(folder, "node_modules/millrace");
  mkdirSync(installed, { recursive: true });
  const tarball = join(folder, stdout.trim().split("\n").at(-1) ?? "");
  const unpacked = await command("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"], folder);
  expect(unpacked.code, unpacked.stderr).toBe(0);
  // Without a network: what npm would have fetched, and only what the package says that it needs, is lent by the repository.
  const { dependencies, bin } = manifest();
  for (const name of Object.keys(dependencies)) lend(name);
  const program = join(installed, bin.millrace);
  chmodSync(program, 0o755);
  mkdirSync(join(folder, "node_modules/.bin"));
  symlinkSync(program, join(folder, "node_modules/.bin/millrace"));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: { readonly millrace: string };
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest;
}

function lend(name: string): void {
  const path = join(folder, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(repository, "node_modules", name), path);
}

function command(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  // Nothing of the npm and the test runner around us is to reach what is run.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|NODE_|VITEST|MILLRACE_)/i.test(name),
  );
  return new Promise((resolve) => {
    const env = { ...Object.fromEntries(kept), npm_config_update_notifier: "false" };
    execFile(program, args, { cwd, env, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("what the package names is in it, and no more of the repository than that", () => {
  const { exports, bin } = manifest();
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  expect([bin.millrace, ...targets].filter((path) => !existsSync(join(installed, path)))).toEqual([]);
  expect(Object.keys(exports)).toEqual(expect.arrayContaining([".", "./testing"]));

  expect(readdirSync(installed).sort()).toEqual(
    ["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "package.json", "templates"].sort(),
  );
  const texts = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:c?js|d\.ts)$/.test(name))
    .map((name) => ({ name, text: readFileSync(join(installed, "dist", name), "utf8") }));
  // Declarations name one another by `.ts`, which compilers take for `.d.ts`; code must not.
  const outside = texts.filter(({ name, text }) =>
    (name.endsWith(".d.ts")
      ? /["'][^"'\n]*\/src\//
      : /(?:from|import\()\s*["']\.[^"'\n]*(?:\.ts|\/src\/[^"'\n]*)["']/
    ).test(text),
  );
  expect(outside.map(({ name }) => name)).toEqual([]);
});

test(
  "init's project works from the packed package in an empty folder: it runs, its test passes, its types are right",
  LIMIT,
  async () => {
    const made = await command("node_modules/.bin/millrace", ["init", "app"], folder);
    expect(made.code, made.stderr).toBe(0);
    const app = join(folder, "app");
    expect(readdirSync(app).sort()).toEqual(
      [
        ".gitignore",
        "README.md",
        "orders.jsonl",
        "package.json",
        "pipeline.test.ts",
        "pipeline.ts",
        "tsconfig.json",
      ].sort(),
    );
    expect(readFileSync(join(app, "README.md"), "utf8")).toMatch(/^# app\n/);

    const started = await command("npm", ["start"], app);
    expect(started.code, started.stderr).toBe(0);
    expect(started.stderr).toContain("orders completed");
    const totals = readFileSync(join(app, "totals.jsonl"), "utf8").trim().split("\n");
    expect(totals.map((line) => (JSON.parse(line) as { total: number }).total)).toEqual([15, 36, 39, 50, 12]);

    const tested = await command("npm", ["test"], app);
    expect(tested.code, tested.stdout + tested.stderr).toBe(0);
    expect(tested.stdout).toMatch(/^. pass 2$/m);

    // A compiler is the project's own to install.
    lend("typescript");
    lend("@types/node");
    lend("undici-types");
    writeFileSync(
      join(app, "consumer.ts"),
      `import { type Config, pipeline, type RunResult, run } from "millrace";
     import { simulate } from "millrace/testing";
     const p = pipeline("typed");
     // @ts-expect-error A sink for text does not take numbers.
     p.source("numbers", () => [1]).to(p.sink("texts", (text: string) => void text.length));
     export const result: Promise<RunResult> = run(p);
     export const simulated = simulate(p, { numbers: [1] });
     export default { data: "x" } satisfies Config;`,
    );
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    const checked = await command(process.execPath, [compiler, "-p", app, "--skipLibCheck", "false"], app);
    expect(checked.code, checked.stdout).toBe(0);
  },
);

test("explain and help need nothing but the package", LIMIT, async () => {
  const [explained, help] = await Promise.all([
    command("node_modules/.bin/millrace", ["explain", "MR_NO_SINK"], folder),
    command("node_modules/.bin/millrace", ["--help"], folder),
  ]);

  expect([explained.code, explained.stdout]).toEqual([0, expect.stringMatching(/^MR_NO_SINK\nwhy /)]);
  expect([help.code, help.stdout]).toEqual([0, expect.stringContaining("millrace init my-app")]);
});
