import type { Context } from "../definition/context.ts";
import { flag, oneOf, size } from "../definition/option-rules.ts";
import { type Field, standard } from "../definition/rule.ts";
import type { Size } from "../definition/size.ts";
import { sourceEnv } from "../definition/source-env.ts";
import { checkSpec, type FileSpec, namedFiles } from "./file-spec.ts";
import type { RowReader } from "./row-reader.ts";

/** Options of every source that reads the content of files. */
export interface FileOptions {
  /** Whether a pattern may match no file; the source then gives nothing. Default false: it fails. */
  readonly allowEmpty?: boolean;
  /** Default `"utf8"`; bytes that are no UTF-8 become U+FFFD. */
  readonly encoding?: "utf8" | "latin1";
  /** A line that is longer ends the source with an error. Default `"900KB"`: an item cannot be much larger. */
  readonly maxLine?: Size;
}

export const ALLOW_EMPTY: Field<boolean> = standard(flag, false, "Whether a pattern may match no file.");

export const FILE_FIELDS = {
  allowEmpty: ALLOW_EMPTY,
  encoding: standard(oneOf("utf8", "latin1"), "utf8", "How bytes become text."),
  maxLine: standard(size("1B"), "900KB", "A longer line ends the source with an error."),
};

export interface FileSettings {
  readonly allowEmpty: boolean;
  readonly encoding: "utf8" | "latin1";
  readonly maxLine: number;
}

/** A ready-made source: to be given to `p.source`. */
export type ReadySource<T, Params = unknown> = (ctx: Context<Params, undefined>) => Promise<AsyncIterable<T>>;

/** Makes the reader of a file's rows; called once a file. */
export type ReaderOf<T> = (path: string, state: unknown, ctx: Context) => RowReader<T>;

/**
 * A source that reads the content of files. What it needs for that is loaded when it runs: each instance of a
 * pipeline loads the module that calls this.
 */
export function fileSource<T, Params>(
  subject: string,
  spec: FileSpec<Params>,
  settings: FileSettings,
  loadReader: () => Promise<ReaderOf<T>>,
): ReadySource<T, Params> {
  checkSpec(spec, subject);
  return async (ctx) => {
    const env = sourceEnv(ctx, subject);
    const names = namedFiles(typeof spec === "function" ? spec(ctx.params) : spec, subject);
    const [{ BatchFeed }, { readFiles }, readerOf] = await Promise.all([
      import("./batch-feed.ts"),
      import("./read-files.ts"),
      loadReader(),
    ]);
    const { allowEmpty, encoding, maxLine } = settings;
    const batches = readFiles<T>({
      env,
      ctx: ctx as Context,
      names,
      allowEmpty,
      lines: { encoding, maxLineBytes: maxLine },
      readerOf: (path, state) => readerOf(path, state, ctx as Context),
    });
    return new BatchFeed(batches, (token) => ctx.checkpoint(token));
  };
}
