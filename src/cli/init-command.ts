import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { ensureError, UsageError } from "../errors.ts";
import { EXIT } from "./exit-code.ts";
import { shellText } from "./shell-text.ts";
import { tell } from "./terminal.ts";

/** Part of the package: nothing is fetched. */
const TEMPLATE = fileURLToPath(new URL("../../templates/starter", import.meta.url));
/** Names that npm would not put into a package as they are. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: ".gitignore" };
/** What may be there: nothing of it is touched. */
const HARMLESS = new Set([".git", ".DS_Store"]);
const SHOWN = 5;

/** Adds `millrace init`; `onExit` is told its exit code. */
export function addInitCommand(program: Command, version: string, onExit: (code: number) => void): void {
  program
    .command("init")
    .description("a starter project that runs: a pipeline, a test of it, and the scripts for both")
    .argument("[DIR]", "an empty or new folder", ".")
    .action((directory: string) => onExit(init(version, directory)));
}

/**
 * Writes a starter project into an empty or new folder; gives the exit code.
 *
 * Throws UsageError MR_FOLDER_NOT_EMPTY, which names what is there, and MR_DATA_UNWRITABLE. Nothing has been changed
 * then.
 */
export function init(version: string, directory: string): number {
  const folder = resolve(directory);
  try {
    checkEmpty(folder, directory);
    mkdirSync(folder, { recursive: true });
    const name = packageName(folder);
    writeFileSync(join(folder, "package.json"), packageJson(name, version), { flag: "wx" });
    for (const file of readdirSync(TEMPLATE)) {
      const text = readFileSync(join(TEMPLATE, file), "utf8").replaceAll("{{name}}", name);
      writeFileSync(join(folder, RENAMED[file] ?? file), text, { flag: "wx" });
    }
  } catch (thrown) {
    throw fileError(thrown, directory);
  }
  const steps = ["npm install", "npm start", "npm test"];
  if (directory !== ".") steps.unshift(`cd ${shellText(directory)}`);
  tell(`a starter project is in ${folder}; next:\n${steps.map((step) => `  ${step}`).join("\n")}`);
  return EXIT.done;
}

function checkEmpty(folder: string, directory: string): void {
  if (!existsSync(folder)) return;
  const isFolder = statSync(folder).isDirectory();
  const there = isFolder ? readdirSync(folder).filter((name) => !HARMLESS.has(name)) : [];
  if (isFolder && there.length === 0) return;
  const more = there.length > SHOWN ? ` and ${there.length - SHOWN} more` : "";
  const what = isFolder ? `there is ${there.sort().slice(0, SHOWN).join(", ")}${more} in it` : "it is a file";
  throw new UsageError(
    "MR_FOLDER_NOT_EMPTY",
    `${directory}: ${what}; name an empty or new folder: millrace init DIR`,
  );
}

function packageJson(name: string, version: string): string {
  const content = {
    name,
    private: true,
    type: "module",
    engines: { node: ">=20.19" },
    scripts: { start: "millrace run pipeline.ts", test: "millrace test", check: "tsc" },
    dependencies: { millrace: `^${version}` },
    devDependencies: { "@types/node": "^20.19.0", typescript: "^5.9.0 || ^6.0.0 || ^7.0.0" },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** A folder's name as npm accepts it. */
function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "");
  return name === "" || name === "millrace" ? "my-pipeline" : name;
}

function fileError(thrown: unknown, directory: string): unknown {
  const code = (thrown as NodeJS.ErrnoException).code;
  if (code === undefined || !["EACCES", "EPERM", "EROFS", "ENOTDIR"].includes(code)) return thrown;
  return new UsageError(
    "MR_DATA_UNWRITABLE",
    `${directory}: it cannot be written to (${ensureError(thrown).message}); name another folder`,
    { cause: thrown },
  );
}
