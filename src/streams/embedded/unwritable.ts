import { DataDirectoryError } from "../../errors.ts";

/** Whether there was no room for a write, on the disk or in the user's share of it. */
export function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** What a failed write of the log is told as. */
export function unwritable(directory: string, error: unknown): DataDirectoryError {
  if (error instanceof DataDirectoryError) return error;
  if (isFull(error)) {
    return new DataDirectoryError(
      "MR_DISK_FULL",
      `data directory ${directory}: the disk is full; nothing of this write was kept`,
      { cause: error, scope: "run" },
    );
  }
  const { code } = error as NodeJS.ErrnoException;
  return new DataDirectoryError(
    "MR_DATA_UNWRITABLE",
    `data directory ${directory}: writing failed (${code ?? String(error)}); see to the disk, then run the same command`,
    { cause: error, scope: "run" },
  );
}
