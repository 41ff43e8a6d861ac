/** Whether a server's version, such as "2.10.27-RC.1", is older than another. */
export function isBefore(version: string, least: readonly number[]): boolean {
  const parts = version.split(/[.-]/, 3).map(Number);
  for (const [i, wanted] of least.entries()) {
    const part = parts[i] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}
