import { group, readOptions, standard } from "../definition/rule.ts";
import type { OnBadRow } from "./bad-row.ts";
import { FILE_FIELDS, type FileOptions, fileSource, type ReadySource } from "./file-source.ts";
import { type FileSpec, subjectOf } from "./file-spec.ts";
import { onBadRow } from "./on-bad-row.ts";

export interface NdjsonOptions<T> extends FileOptions {
  /** What becomes of a line that is not JSON. Default `"fail"`. */
  readonly onBadRow?: OnBadRow<T>;
}

const OPTIONS = group({ ...FILE_FIELDS, onBadRow: standard(onBadRow, "fail", "What becomes of a bad row.") });

/**
 * A source of the JSON documents in files with one a line; blank lines are left out. The rest is as in {@link lines}.
 * `T` is your word for what is in the file: it is not checked.
 *
 * @throws DefinitionError MR_BAD_OPTION. The source fails as `lines` does, and with MR_BAD_ROW.
 */
export function ndjson<T = unknown, Params = unknown>(
  file: FileSpec<Params>,
  options?: NdjsonOptions<T>,
): ReadySource<T, Params> {
  const subject = subjectOf("ndjson", file);
  const settings = readOptions(OPTIONS, options, subject);
  return fileSource(subject, file, settings, async () => {
    const [{ BadRows }, { NdjsonRows }] = await Promise.all([
      import("./bad-rows.ts"),
      import("./ndjson-rows.ts"),
    ]);
    return (path, _state, ctx) =>
      new NdjsonRows<T>(new BadRows(path, settings.onBadRow as OnBadRow<T>, ctx.log));
  });
}
