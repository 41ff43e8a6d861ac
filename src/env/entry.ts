import { fileURLToPath } from "node:url";

/**
 * Path of one of millrace's own programs (`instance/main.js`, `streams/main.js` …), to be spawned.
 * Run from its sources, as tests do, the compiled twin in dist/ is taken: Node 20 cannot start TypeScript.
 */
export function entryPath(file: string): string {
  const here = import.meta.url;
  const base = here.endsWith(".ts") ? new URL("../../dist/", here) : new URL("../", here);
  return fileURLToPath(new URL(file, base));
}
