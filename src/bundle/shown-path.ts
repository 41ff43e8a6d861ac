import { isAbsolute, relative } from "node:path";

/** A path as messages show it: from the working directory when it lies below it, else absolute. */
export function shownPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below === "" || below.startsWith("..") || isAbsolute(below) ? path : below;
}
