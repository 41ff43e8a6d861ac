import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, stop } from "esbuild";

const bench = dirname(fileURLToPath(import.meta.url));
const outdir = join(bench, "../node_modules/.cache/millrace-bench/js");

/**
 * Turns modules of bench/ into JavaScript (Node 20 does not run TypeScript) and imports the first of them.
 * The compiled files lie under node_modules, so that their own imports of packages resolve.
 * @param {string[]} entries paths under bench/, such as "hop/compare.ts"
 */
export async function importBench(...entries) {
  await mkdir(outdir, { recursive: true });
  await build({
    entryPoints: entries.map((entry) => join(bench, entry)),
    outbase: bench,
    outdir,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    outExtension: { ".js": ".mjs" },
    define: { BENCH_JS: JSON.stringify(outdir) },
  });
  // Its service process must not count among the ones that are measured.
  await stop();
  return import(pathToFileURL(join(outdir, entries[0].replace(/\.ts$/, ".mjs"))).href);
}
