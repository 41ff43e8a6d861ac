/** The data directory that a command is to use: flag, variable, default. */
export function dataOf(flag: string | undefined): string {
  return flag ?? process.env.MILLRACE_DATA ?? ".millrace";
}
