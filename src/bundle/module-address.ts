import { extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Disk } from "../env/env.ts";
import { UsageError } from "../errors.ts";

/** Where a module lies and which of its exports is meant. */
export interface ModuleAddress {
  /** Absolute. */
  readonly path: string;
  readonly exportName?: string;
  /** The module as the user named it, without the export: for messages. */
  readonly shown: string;
}

/** What a user may leave out at the end of a path; used for a hint only. */
const EXTENSIONS = [".ts", ".js", ".mts", ".mjs", ".tsx", ".cts", ".cjs", ".jsx"];

/**
 * Reads `path`, `path#export`, `file:///path` or `file:///path#export`; a path is taken from the working directory.
 *
 * @throws UsageError MR_MODULE_NOT_FOUND when no file lies there.
 */
export async function moduleAddress(disk: Disk, module: string): Promise<ModuleAddress> {
  const { path, exportName, shown } = await split(disk, module);
  const address = exportName === undefined ? { path, shown } : { path, shown, exportName };
  const info = await disk.info(path);
  if (info !== undefined && !info.isDirectory) return address;
  const problem = info === undefined ? "there is no such file" : "this is a folder, not a module";
  const tried = shown === path ? "" : ` (tried ${path})`;
  throw new UsageError(
    "MR_MODULE_NOT_FOUND",
    `${shown}: ${problem}${tried}; ${await hint(disk, path, info !== undefined)}`,
    {
      details: { path },
    },
  );
}

async function split(disk: Disk, module: string): Promise<ModuleAddress> {
  if (/^file:/i.test(module)) {
    const url = parseUrl(module);
    const exportName = decodeURIComponent(url.hash.slice(1));
    url.hash = "";
    const path = fileURLToPath(url);
    return exportName === "" ? { path, shown: path } : { path, shown: path, exportName };
  }
  const whole = resolve(module);
  const mark = module.lastIndexOf("#");
  // A `#` may be part of a file's own name.
  if (mark < 0 || (await disk.info(whole)) !== undefined) return { path: whole, shown: module };
  const shown = module.slice(0, mark);
  const exportName = module.slice(mark + 1);
  const path = resolve(shown);
  return exportName === "" ? { path, shown } : { path, shown, exportName };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    fileURLToPath(url);
    return url;
  } catch (cause) {
    throw new UsageError(
      "MR_MODULE_NOT_FOUND",
      `${text}: this URL names no file; give a path or a file: URL`,
      { cause },
    );
  }
}

async function hint(disk: Disk, path: string, isDirectory: boolean): Promise<string> {
  const bases = isDirectory ? [path, resolve(path, "index")] : [path];
  if (!isDirectory && extname(path) !== "") bases.push(path.slice(0, -extname(path).length));
  for (const base of bases) {
    for (const extension of EXTENSIONS) {
      const info = await disk.info(base + extension);
      if (info !== undefined && !info.isDirectory) return `did you mean ${base + extension}?`;
    }
  }
  return "check the path";
}
