import { fileURLToPath } from "node:url";
import { shownPath } from "./shown-path.ts";

/**
 * The first line of a stack that lies in one of the user's files, as `file:line:column`.
 *
 * @param files absolute paths of the user's files.
 */
export function stackPlace(stack: string, files: readonly string[]): string | undefined {
  for (const line of stack.split("\n")) {
    const [, where, position] = /\(?((?:file:\/\/)?(?:[a-z]:)?[\\/][^()]*?)(:\d+:\d+)\)?$/i.exec(line) ?? [];
    if (where === undefined || position === undefined) continue;
    const path = where.startsWith("file://") ? fileURLToPath(where) : where;
    if (files.includes(path)) return `${shownPath(path)}${position}`;
  }
  return undefined;
}
