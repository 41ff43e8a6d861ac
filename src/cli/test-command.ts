import { fork, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { entryPath } from "../env/entry.ts";
import { MillraceError, UsageError } from "../errors.ts";
import { EXIT } from "./exit-code.ts";
import type { BundlerMessage } from "./test-messages.ts";

interface TestFlags {
  readonly name?: string;
}

const IS_TEST = /\.test\.(?:[cm]?ts|tsx|[cm]?js)$/;
const PASSED_OVER = new Set(["node_modules", "dist", "build"]);

/** Adds `millrace test`; `onExit` is told its exit code. */
export function addTestCommand(program: Command, onExit: (code: number) => void): void {
  program
    .command("test")
    .description("run tests that are written for node:test, in TypeScript, with nothing else to install")
    .argument(
      "[FILES...]",
      "test files, or folders that hold some (default: all *.test.ts, *.test.js below here)",
    )
    .option("--name <PATTERN>", "only tests whose names match this regular expression")
    .action(async (files: string[], flags: TestFlags) => onExit(await testCommand(files, flags)));
}

/**
 * Bundles each test file as a pipeline's module is bundled, and hands the bundles to `node --test`; gives the exit
 * code. Node 20 does not run TypeScript; newer ones do not run all of it.
 */
export async function testCommand(given: readonly string[], flags: TestFlags): Promise<number> {
  const files = (given.length === 0 ? ["."] : given).flatMap(testFilesOf);
  if (files.length === 0) {
    throw new UsageError(
      "MR_MODULE_NOT_FOUND",
      `${given.length === 0 ? "." : given.join(", ")}: there are no files *.test.ts or *.test.js here`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
  try {
    const bundles = await bundled(folder, files);
    return await runTests(bundles, flags);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function testFilesOf(given: string): string[] {
  const path = resolve(given);
  if (!existsSync(path))
    throw new UsageError("MR_MODULE_NOT_FOUND", `${given}: there is no such file or folder`);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inside = join(path, entry.name);
      if (entry.isFile()) return IS_TEST.test(entry.name) ? [inside] : [];
      const isOpen = entry.isDirectory() && !entry.name.startsWith(".") && !PASSED_OVER.has(entry.name);
      return isOpen ? testFilesOf(inside) : [];
    });
}

function bundled(folder: string, files: readonly string[]): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const child = fork(entryPath("cli/test-bundler.js"), [folder, ...files], {
      execArgv: ["--experimental-import-meta-resolve"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let said: BundlerMessage | undefined;
    child.once("message", (message) => {
      said = message as BundlerMessage;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (said?.kind === "bundled") resolve(said.paths);
      else if (said?.kind === "failed") reject(new UsageError(said.code, said.message));
      else
        reject(
          new MillraceError("MR_INTERNAL", `test bundler: it ended with ${signal ?? code}, and said nothing`),
        );
    });
  });
}

function runTests(bundles: readonly string[], { name }: TestFlags): Promise<number> {
  return new Promise((resolve, reject) => {
    // Source maps lead to the lines of the test file. n.b. the reporter differs from version to version where none is named.
    const flags = ["--enable-source-maps", "--test", "--test-reporter=spec"];
    if (name !== undefined) flags.push(`--test-name-pattern=${name}`);
    const child = spawn(
      process.execPath,
      [...flags, ...bundles.map((path) => relative(process.cwd(), path))],
      {
        stdio: "inherit",
        // Set by a test runner around us: node --test would think that it is a part of it.
        env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      },
    );
    // Ctrl-C reaches both from the terminal: it is the tests' to end.
    const ignore = (): void => undefined;
    process.on("SIGINT", ignore);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      if (signal === "SIGINT") resolve(EXIT.interrupted);
      else resolve(code === 0 ? EXIT.done : EXIT.failed);
    });
  });
}
