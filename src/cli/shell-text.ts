/** An argument as it is typed into a shell: quoted where it must be. */
export function shellText(argument: string): string {
  return /^[\w@%+=:,./#-]+$/.test(argument) && !argument.startsWith("#")
    ? argument
    : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** The command that resumes what this one began: the same, but for what asked for a new run. */
export function commandLine(argv: readonly string[]): string {
  const kept = argv.filter((argument) => argument !== "--new");
  return ["millrace", ...kept.map(shellText)].join(" ");
}
