import type { Context } from "../definition/context.ts";
import { group, readOptions } from "../definition/rule.ts";
import { sourceEnv } from "../definition/source-env.ts";
import { ALLOW_EMPTY, type ReadySource } from "./file-source.ts";
import { checkSpec, type FileSpec, namedFiles, subjectOf } from "./file-spec.ts";

/** A file as {@link files} gives it. */
export interface FoundFile {
  /** As the pattern names it: relative to the directory in which the command was started, or absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

export interface FilesOptions {
  /** Whether a pattern may match no file; the source then gives nothing. Default false: it fails. */
  readonly allowEmpty?: boolean;
}

const OPTIONS = group({ allowEmpty: ALLOW_EMPTY });

/**
 * A source of files, for a stage that reads them: those of a pattern in the order of their names.
 *
 * ```ts
 * p.source("images", files("photos/**\/*.{jpg,png}")).to(shrink);
 * ```
 *
 * @throws DefinitionError MR_BAD_OPTION. The source fails with MR_INPUT_NOT_FOUND or MR_INPUT_UNREADABLE.
 */
export function files<Params = unknown>(
  file: FileSpec<Params>,
  options?: FilesOptions,
): ReadySource<FoundFile, Params> {
  const subject = subjectOf("files", file);
  const { allowEmpty } = readOptions(OPTIONS, options, subject);
  checkSpec(file, subject);
  return async (ctx) => {
    const env = sourceEnv(ctx, subject);
    const names = namedFiles(typeof file === "function" ? file(ctx.params) : file, subject);
    const [{ BatchFeed }, { listFiles }] = await Promise.all([
      import("./batch-feed.ts"),
      import("./list-files.ts"),
    ]);
    return new BatchFeed(listFiles(env, ctx as Context, names, allowEmpty), (token) => ctx.checkpoint(token));
  };
}
