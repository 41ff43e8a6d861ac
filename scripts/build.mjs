// Builds dist/ from src/, from nothing, so that a file that was removed or renamed cannot live on in it: types by
// tsc, code by esbuild, the entry points below with what they share in chunks.
//
// Why not one file for each source file: an instance would load fifty modules. That costs 15 ms a process and,
// since V8 then compiles the module loader itself, 4 MB of private memory of the 20 that an instance may have.
import { spawnSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// Each lies at dist/<folder>/<name>.js, chunks at dist/chunks/: code that looks for a sibling of its own goes by
// "../", whichever of them it ends up in.
const ENTRIES = [
  "index",
  "cli/main",
  "cli/doctor-child",
  "cli/test-bundler",
  "instance/main",
  "testing/simulate",
  "streams/main",
  "bundle/describe-child",
  "bundle/edit-child",
  "bundle/import-bundle",
  "bundle/file-meta",
];

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const fresh = path("dist.new");
rmSync(fresh, { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [
    path("node_modules/typescript/bin/tsc"),
    "-p",
    path("tsconfig.json"),
    "--outDir",
    fresh,
    "--emitDeclarationOnly",
  ],
  { stdio: "inherit" },
);
if (status !== 0) process.exit(status ?? 1);

const options = {
  bundle: true,
  platform: "node",
  target: "node20.19",
  packages: "external",
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...options,
  entryPoints: Object.fromEntries(ENTRIES.map((entry) => [entry, path(`src/${entry}.ts`)])),
  outdir: fresh,
  format: "esm",
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
});
// The watchdog's thread as CommonJS: a thread that starts the loader for ES modules needs half a megabyte more.
await build({
  ...options,
  entryPoints: [path("src/env/watchdog-thread.ts")],
  outfile: `${fresh}/env/watchdog-thread.cjs`,
  format: "cjs",
});
rmSync(path("dist"), { recursive: true, force: true });
renameSync(fresh, path("dist"));
