import { wholeNumber } from "../definition/option-rules.ts";
import { group, optional, readOptions } from "../definition/rule.ts";
import { FILE_FIELDS, type FileOptions, fileSource, type ReadySource } from "./file-source.ts";
import { type FileSpec, subjectOf } from "./file-spec.ts";

export interface LinesOptions extends FileOptions {
  /** So many lines make one item, an array of texts; the last of a file may have fewer. Default: a line is an item. */
  readonly group?: number;
}

const OPTIONS = group({ ...FILE_FIELDS, group: optional(wholeNumber(1), "Lines of one item.") });

/**
 * A source of the lines of text files, without their line ends (LF or CR LF). Files ending in `.gz` are decompressed. It
 * goes on where it was when the run is resumed, and tells how far it is.
 *
 * ```ts
 * const log = p.source("log", lines("logs/*.log.gz"));
 * ```
 *
 * @param file a path, a pattern, a `file:` URL, a list of these, or a function that gives them from the params.
 * @throws DefinitionError MR_BAD_OPTION. The source fails with MR_INPUT_NOT_FOUND, MR_INPUT_UNREADABLE (a line longer
 *   than `maxLine` too) or, when it goes on, MR_INPUT_CHANGED.
 */
export function lines<Params = unknown>(
  file: FileSpec<Params>,
  options: LinesOptions & { readonly group: number },
): ReadySource<string[], Params>;
export function lines<Params = unknown>(
  file: FileSpec<Params>,
  options?: FileOptions & { readonly group?: undefined },
): ReadySource<string, Params>;
export function lines<Params>(
  file: FileSpec<Params>,
  options?: FileOptions & { readonly group?: number | undefined },
): ReadySource<string | string[], Params> {
  const subject = subjectOf("lines", file);
  const { group: size, ...settings } = readOptions(OPTIONS, options, subject);
  return fileSource<string | string[], Params>(subject, file, settings, async () => {
    const [{ LineRows }, { LineGroups }] = await Promise.all([
      import("./line-rows.ts"),
      import("./line-groups.ts"),
    ]);
    return () => (size === undefined ? new LineRows() : new LineGroups(size));
  });
}
