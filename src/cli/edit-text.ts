import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";

/**
 * Opens a text in the user's editor ($VISUAL or $EDITOR); gives what it is afterwards, undefined when it is the same.
 * Throws UsageError MR_USAGE when there is no editor, or it fails.
 */
export async function editText(text: string): Promise<string | undefined> {
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (editor === undefined || editor === "")
    throw new UsageError("MR_USAGE", "no editor: set EDITOR, or say the item with --set, --file or --with");
  const folder = mkdtempSync(join(tmpdir(), "millrace-edit-"));
  const file = join(folder, "item.json");
  try {
    writeFileSync(file, text, { mode: 0o600 });
    // n.b. by a shell, as EDITOR may have arguments; the file is one of its own.
    const child = spawn(`${editor} "$MILLRACE_EDITED_FILE"`, {
      shell: true,
      stdio: "inherit",
      env: { ...process.env, MILLRACE_EDITED_FILE: file },
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (code !== 0)
      throw new UsageError("MR_USAGE", `editor ${editor}: it ended with code ${code}; nothing was edited`);
    const edited = readFileSync(file, "utf8");
    return edited === text ? undefined : edited;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
