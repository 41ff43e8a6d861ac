/** The data directory that a command is to use. (A flag that was not given has been filled in from the settings.) */
export function dataOf(flag: string | undefined): string {
  return flag ?? ".millrace";
}
