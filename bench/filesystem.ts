import { statfsSync } from "node:fs";

const NAMES: Readonly<Record<number, string>> = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  2035054128: "overlay",
};

/** The kind of file system under a path: on `tmpfs` a flush costs nothing, and figures mean little. */
export function filesystemOf(path: string): string {
  const { type } = statfsSync(path);
  return NAMES[type] ?? `0x${type.toString(16)}`;
}
