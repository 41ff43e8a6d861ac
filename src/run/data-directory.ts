import { join, resolve } from "node:path";
import type { Env } from "../env/env.ts";
import { DataDirectoryError } from "../errors.ts";

const MARKER = "millrace.json";
const FORMAT = 1;

/**
 * Makes `path` ready as a data directory and gives its absolute path. A directory with anything in it that
 * millrace did not make is left alone.
 *
 * Throws DataDirectoryError MR_DATA_NOT_OURS, MR_DATA_UNWRITABLE, MR_DISK_FULL or MR_LOG_VERSION.
 */
export async function openDataDirectory(env: Env, path: string): Promise<string> {
  const directory = resolve(path);
  const { disk } = env;
  try {
    const info = await disk.info(directory);
    if (info !== undefined && !info.isDirectory) {
      throw new DataDirectoryError(
        "MR_DATA_NOT_OURS",
        `data directory ${directory}: it is a file; name a directory with --data`,
      );
    }
    await disk.makeDirectory(directory);
    const marker = join(directory, MARKER);
    if ((await disk.info(marker)) === undefined) {
      const strangers = (await disk.list(directory)).filter((name) => !name.startsWith(`${MARKER}.`));
      // n.b. another process may have made the directory its own since we looked: the marker is its first file.
      if (strangers.length > 0 && (await disk.info(marker)) === undefined) {
        throw new DataDirectoryError(
          "MR_DATA_NOT_OURS",
          `data directory ${directory}: it holds files that millrace did not make (${strangers.slice(0, 3).join(", ")}); name an empty or new one with --data`,
        );
      }
      await disk.replaceFile(marker, `${JSON.stringify({ format: FORMAT, of: "millrace" })}\n`);
      // A data directory inside a repository is nobody's source code.
      await disk.replaceFile(join(directory, ".gitignore"), "*\n");
    } else await checkMarker(env, directory, marker);
    await checkWritable(env, directory);
  } catch (error) {
    throw dataError(error, directory);
  }
  return directory;
}

/**
 * The absolute path of a data directory that is there; undefined when it is not. Makes and changes nothing.
 *
 * Throws DataDirectoryError MR_DATA_NOT_OURS, MR_DATA_UNWRITABLE or MR_LOG_VERSION.
 */
export async function findDataDirectory(env: Env, path: string): Promise<string | undefined> {
  const directory = resolve(path);
  const { disk } = env;
  try {
    const info = await disk.info(directory);
    if (info === undefined) return undefined;
    const marker = join(directory, MARKER);
    if (info.isDirectory && (await disk.info(marker)) !== undefined) {
      await checkMarker(env, directory, marker);
      return directory;
    }
    if (info.isDirectory && (await disk.list(directory)).length === 0) return undefined;
  } catch (error) {
    throw dataError(error, directory);
  }
  throw new DataDirectoryError(
    "MR_DATA_NOT_OURS",
    `data directory ${directory}: millrace did not make it; name another with --data`,
  );
}

async function checkMarker(env: Env, directory: string, marker: string): Promise<void> {
  let format: unknown;
  try {
    format = (JSON.parse((await env.disk.readFile(marker)).toString("utf8")) as { format?: unknown }).format;
  } catch {
    format = undefined;
  }
  if (format === FORMAT) return;
  throw new DataDirectoryError(
    format === undefined ? "MR_DATA_NOT_OURS" : "MR_LOG_VERSION",
    `data directory ${directory}: its ${MARKER} has format ${JSON.stringify(format)}, this millrace knows ${FORMAT}`,
  );
}

async function checkWritable(env: Env, directory: string): Promise<void> {
  const probe = join(directory, `.probe-${env.random.bytes(6).toString("hex")}`);
  await env.disk.createExclusive(probe, "");
  await env.disk.remove(probe);
}

/** An error of the file system in plain words; any other as it is. */
export function dataError(error: unknown, directory: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new DataDirectoryError(
        "MR_DATA_UNWRITABLE",
        `data directory ${directory}: it cannot be written to (${code})`,
        { cause: error },
      );
    case "ENOTDIR":
    case "EEXIST":
      return new DataDirectoryError(
        "MR_DATA_NOT_OURS",
        `data directory ${directory}: a part of its path is a file (${code})`,
        { cause: error },
      );
    case "ENOSPC":
    case "EDQUOT":
      return new DataDirectoryError(
        "MR_DISK_FULL",
        `data directory ${directory}: the disk is full (${code})`,
        { cause: error },
      );
    default:
      return error;
  }
}
