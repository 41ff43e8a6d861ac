/** A role of a process that `startRoles` has started: gets ready, works when told, reports, and ends when told. */
export interface Part {
  work(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Plays the role that the command line names. */
export async function playRole(
  roles: Readonly<Record<string, (args: string[]) => Promise<Part>>>,
): Promise<void> {
  const [role = "", ...args] = process.argv.slice(2);
  // Also when the bench itself was killed.
  process.on("disconnect", () => process.exit());
  const part = await roles[role]?.(args);
  if (part === undefined) throw new Error(`no role is called ${role}`);
  process.on("message", (message) => {
    if (message === "go") void part.work().then((report) => process.send?.({ report: report ?? null }));
    else void part.close().then(() => process.disconnect());
  });
  process.send?.({ ready: true });
}
