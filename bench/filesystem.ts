import { statfsSync } from "node:fs";

const NAMES: Readonly<Record<number, string>> = {
  61_267: "ext4",
  16_914_836: "tmpfs",
  1_481_003_842: "xfs",
  2_435_016_766: "btrfs",
  2_035_054_128: "overlay",
};

/** The kind of file system under a path: on `tmpfs` a flush costs nothing, and figures mean little. */
export function filesystemOf(path: string): string {
  const { type } = statfsSync(path);
  return NAMES[type] ?? `0x${type.toString(16)}`;
}
