import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/**
 * A program as one JavaScript file that Node can start, made of the sources as they are now. It lies below
 * node_modules so that it finds the packages that it imports.
 */
export async function bundled(program: string): Promise<{ path: string; remove(): void }> {
  const cache = join(repository, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "millrace-test-"));
  const path = join(folder, "program.mjs");
  await build({
    stdin: { contents: program, resolveDir: join(repository, "src"), loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile: path,
    logLevel: "silent",
  });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
