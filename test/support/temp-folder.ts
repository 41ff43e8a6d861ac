import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder with these files; gone when the test is over. */
export function tempFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): {
  readonly folder: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): string;
} {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-files-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const write = (name: string, content: string | Uint8Array): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
    return path(name);
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { folder, path, write };
}
