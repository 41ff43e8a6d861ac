/** An argument as it is typed into a shell: quoted where it must be. */
export function shellText(argument: string): string {
  return /^[\w@%+=:,./#-]+$/.test(argument) && !argument.startsWith("#")
    ? argument
    : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** n.b. it is printed, and what is printed is kept in logs. */
function withoutPassword(argument: string): string {
  return argument
    .replace(/(:\/\/[^/]*?:)[^/]*(?=@)/, "$1***")
    .replace(/(^|=)(nats:\/\/)[^/:]+(?=@)/i, "$1$2***");
}

/** The command that resumes what this one began: the same, but for what asked for a new run, and without a password. */
export function commandLine(argv: readonly string[]): string {
  const kept = argv.filter((argument) => argument !== "--new");
  return ["millrace", ...kept.map((argument) => shellText(withoutPassword(argument)))].join(" ");
}
