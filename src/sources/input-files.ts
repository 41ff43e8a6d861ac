import { resolve } from "node:path";
import type { Disk } from "../env/env.ts";
import { StageError } from "../errors.ts";
import { glob, isGlob } from "./glob.ts";
import { unreadable } from "./input-error.ts";

export interface InputFile {
  /** As the user or the pattern names it. */
  readonly path: string;
  readonly size: number;
  readonly modifiedMs: number;
}

/**
 * The files behind paths and patterns: in the order of the list, those of a pattern by name, each once.
 *
 * @throws StageError MR_INPUT_NOT_FOUND, MR_INPUT_UNREADABLE.
 */
export async function inputFiles(
  disk: Disk,
  names: readonly string[],
  allowEmpty: boolean,
): Promise<InputFile[]> {
  const files = new Map<string, InputFile>();
  for (const name of names) {
    // A file may have a name that looks like a pattern.
    const isPattern = isGlob(name) && (await fileAt(disk, name)) === undefined;
    for (const path of isPattern ? await matching(disk, name) : [name]) {
      const file = await fileAt(disk, path);
      if (file !== undefined) files.set(path, file);
      // n.b. what a pattern matched may be gone again.
      else if (!isPattern) throw missing(name, "there is no such file", "check the path");
    }
    if (isPattern && files.size === 0 && !allowEmpty)
      throw missing(name, "no file matches", "check the pattern, or pass allowEmpty: true");
  }
  return [...files.values()];
}

async function fileAt(disk: Disk, path: string): Promise<InputFile | undefined> {
  try {
    const info = await disk.info(path);
    if (info?.isDirectory === true)
      throw new StageError(
        "MR_INPUT_UNREADABLE",
        `${path}: it is a directory; name the files in it: ${JSON.stringify(`${path.replace(/\/$/, "")}/*`)}`,
        { scope: "stage", details: { path } },
      );
    return info && { path, size: info.size, modifiedMs: info.modifiedMs };
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function matching(disk: Disk, pattern: string): Promise<string[]> {
  try {
    return await glob(disk, pattern);
  } catch (error) {
    throw unreadable(pattern, error);
  }
}

function missing(name: string, what: string, remedy: string): StageError {
  return new StageError(
    "MR_INPUT_NOT_FOUND",
    `${name}: ${what} (looked for ${resolve(name)}); ${remedy}, relative paths start where the command was started`,
    { scope: "stage", details: { path: name } },
  );
}
