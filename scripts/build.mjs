// Builds dist/ from src/, from nothing, so that a file that was removed or renamed cannot live on in it: types by
// tsc, code by esbuild, the entry points below with what they share in chunks.
//
// Why not one file for each source file: an instance would load fifty modules. That costs 15 ms a process and,
// since V8 then compiles the module loader itself, 4 MB of private memory of the 20 that an instance may have.
import { spawnSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// Each lies at dist/<folder>/<name>.js, chunks at dist/chunks/: code that looks for a sibling of its own goes by
// "../", whichever of them it ends up in.
//
// Those that run beside the user's module share one copy of errors and definitions with it. Those that do not are built
// apart, else what they happen to share would be cut out of the others into further files.
const BESIDE_USER = [
  "index",
  "instance/main",
  "testing/simulate",
  "bundle/describe-child",
  "bundle/edit-child",
  "bundle/import-bundle",
];
const APART = ["cli/main", "cli/doctor-child", "cli/test-bundler", "streams/main", "bundle/file-meta"];

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
/**
 * Has every file that starts a chunk load what the process has loaded anyway: the index, and in what only instances
 * import, the instance. esbuild puts together what the same files load, so that all of this becomes one chunk each.
 */
const oneChunk = {
  name: "one-chunk",
  setup(builder) {
    const index = path("src/index.ts");
    const instance = path("src/instance/instance.ts");
    const isStart = ({ kind }) => kind === "entry-point" || kind === "dynamic-import";
    builder.onResolve({ filter: /^anchor:/ }, ({ path: file }) => ({
      path: file.slice("anchor:".length),
      sideEffects: true,
    }));
    builder.onResolve({ filter: /^[./]/ }, ({ kind, path: file, resolveDir }) =>
      isStart({ kind }) ? { path: resolve(resolveDir, file), namespace: "start" } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: "start" }, ({ path: file }) => {
      const isOfInstance = file.startsWith(path("src/instance/"));
      const loaded = isOfInstance ? [index, instance] : [index];
      const anchors = loaded.map((name) => `import ${JSON.stringify(`anchor:${name}`)};`);
      return {
        contents: `${anchors.join("")}export * from ${JSON.stringify(`anchor:${file}`)};`,
        resolveDir: dirname(file),
      };
    });
  },
};

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
const entries = (names) => Object.fromEntries(names.map((name) => [name, path(`src/${name}.ts`)]));
const split = {
  ...options,
  outdir: fresh,
  format: "esm",
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
};
await build({ ...split, entryPoints: entries(BESIDE_USER), plugins: [oneChunk] });
await build({ ...split, entryPoints: entries(APART) });
// The watchdog's thread as CommonJS: a thread that starts the loader for ES modules needs half a megabyte more.
await build({
  ...options,
  entryPoints: [path("src/env/watchdog-thread.ts")],
  outfile: `${fresh}/env/watchdog-thread.cjs`,
  format: "cjs",
});
rmSync(path("dist"), { recursive: true, force: true });
renameSync(fresh, path("dist"));
