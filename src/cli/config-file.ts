import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../definition/config.ts";
import { describeValue, UsageError } from "../errors.ts";
import { nearest } from "./nearest.ts";

const NAMES = ["millrace.config.ts", "millrace.config.json"] as const;
const LIMIT_MS = 20_000;

type Check = (value: unknown) => string | undefined;
const filledText: Check = (value) =>
  typeof value === "string" && value !== "" ? undefined : "text that is not empty";
const counts: Check = (value) => {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  const isFine =
    isRecord && Object.values(value).every((count) => Number.isInteger(count) && Number(count) >= 1);
  return isFine ? undefined : "an object of stages with integers from 1";
};
const KEYS: Readonly<Record<keyof Config, Check>> = {
  data: filledText,
  streams: filledText,
  keepFree: filledText,
  instances: counts,
};

/**
 * The settings of the folder's config file; none when there is no file. A TypeScript file is run in a process of its
 * own.
 *
 * Throws UsageError MR_BAD_OPTION for an unknown key or a wrong value, MR_MODULE_INVALID for a file that cannot be
 * read or run, MR_USAGE when there are two files.
 */
export async function readConfigFile(folder: string): Promise<Config> {
  const found = NAMES.filter((name) => existsSync(join(folder, name)));
  const [name] = found;
  if (name === undefined) return {};
  if (found.length > 1) {
    throw new UsageError("MR_USAGE", `${found.join(" and ")}: both are in ${folder}; keep one of them`);
  }
  return checked(name, name.endsWith(".json") ? readJson(folder, name) : await readModule(folder, name));
}

function checked(name: string, value: unknown): Config {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(
      "MR_BAD_OPTION",
      `${name}: it gives ${describeValue(value)}; export an object of settings as default`,
    );
  }
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(KEYS, key)) {
      const [near] = nearest(key, Object.keys(KEYS));
      const advice = near === undefined ? "" : ` (did you mean ${near}?)`;
      throw new UsageError(
        "MR_BAD_OPTION",
        `${name}: there is no setting ${JSON.stringify(key)}${advice}; there are ${Object.keys(KEYS).join(", ")}`,
      );
    }
    const expected = given === undefined ? undefined : KEYS[key as keyof Config](given);
    if (expected !== undefined) {
      throw new UsageError("MR_BAD_OPTION", `${name}: ${key} is ${describeValue(given)}; give ${expected}`);
    }
  }
  return value;
}

function readJson(folder: string, name: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, name), "utf8"));
  } catch (error) {
    throw invalid(name, error instanceof Error ? error.message : String(error));
  }
}

/** n.b. user code is never run in the process of the command line: it may hang, print, or end it. */
async function readModule(folder: string, name: string): Promise<unknown> {
  const { build } = await import("esbuild");
  const contents = `import config from "./${name}";
    import { writeSync } from "node:fs";
    writeSync(3, JSON.stringify(await config) ?? "");
    process.exit(0);`;
  let code: string;
  try {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: folder, sourcefile: "read-config.ts", loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      write: false,
      logLevel: "silent",
      absWorkingDir: folder,
    });
    code = outputFiles[0]?.text ?? "";
  } catch (error) {
    throw invalid(name, problemOf(error));
  }
  return await runModule(folder, name, code);
}

function runModule(folder: string, name: string, code: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-"], {
      cwd: folder,
      stdio: ["pipe", "ignore", "pipe", "pipe"],
    });
    let stderr = "";
    let given = "";
    const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    child.once("error", reject);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4_000);
    });
    child.stdio[3]?.on("data", (text: Buffer) => {
      given += text.toString("utf8");
    });
    child.once("close", (status, signal) => {
      clearTimeout(limit);
      if (status !== 0) {
        const last =
          stderr.split("\n").find((line) => /^(?:Uncaught )?[\w.]*Error\b/.test(line)) ??
          stderr.trim().split("\n").at(-1);
        reject(
          invalid(name, signal === "SIGKILL" ? `it was not done after ${LIMIT_MS / 1_000} s` : (last ?? "")),
        );
      } else resolve(given === "" ? undefined : JSON.parse(given));
    });
    child.stdin?.end(code);
  });
}

function problemOf(error: unknown): string {
  const [first] =
    (error as { errors?: { text: string; location?: { file: string; line: number } | null }[] }).errors ?? [];
  if (first === undefined) return error instanceof Error ? error.message : String(error);
  const place = first.location == null ? "" : `${first.location.file}:${first.location.line}: `;
  return `${place}${first.text}`;
}

function invalid(name: string, problem: string): UsageError {
  return new UsageError("MR_MODULE_INVALID", `${name}: ${problem}; correct it, or remove it`);
}
