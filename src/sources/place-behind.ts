import type { InputFile } from "./input-files.ts";

/**
 * Where in a list the files behind `path` begin. When it is gone it goes by the names, if they are in order, else by
 * the number of those that were `done`.
 */
export function placeBehind(files: readonly InputFile[], path: string, done: number): number {
  const known = files.findIndex((file) => file.path === path);
  if (known >= 0) return known + 1;
  const isSorted = files.every((file, i) => i === 0 || (files[i - 1] as InputFile).path < file.path);
  if (!isSorted) return Math.min(done, files.length);
  const behind = files.findIndex((file) => file.path > path);
  return behind < 0 ? files.length : behind;
}
