import { shellText } from "./shell-text.ts";

const DEFAULT_DATA = ".millrace";

/** The data directory that a command is to use. (A flag that was not given has been filled in from the settings.) */
export function dataOf(flag: string | undefined): string {
  return flag ?? DEFAULT_DATA;
}

/** What a command that is suggested needs behind it to find the same data directory. */
export function dataFlag(flag: string | undefined): string {
  return dataOf(flag) === DEFAULT_DATA ? "" : ` --data ${shellText(dataOf(flag))}`;
}
