import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { expect, test } from "vitest";

/** How index.ts is put together. */
async function bundled(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    entryPoints: ["src/index.ts"],
    bundle: true,
    splitting: true,
    outdir: "never-written",
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    packages: "external",
  });
  return metafile;
}

test("index.ts loads definitions alone, ready-made sources and queues of others among them, since every instance loads it", async () => {
  const metafile = await bundled();
  const loaded = new Set(["src/index.ts"]);
  // A set hands out what is added while it is gone through. Dynamic imports are loaded on demand.
  for (const file of loaded) {
    for (const { path, kind } of metafile.inputs[file]?.imports ?? []) {
      if (kind === "import-statement") loaded.add(path);
    }
  }
  expect(loaded).toContain("src/definition/pipeline.ts");
  const definitions =
    /^src\/(index|errors|definition\/[^/]+|sources\/[^/]+|wire\/stored-blob|env\/environment-variable)\.ts$/;
  const queues = /^src\/foreign\/(from-queue|to-queue|queue-options|drivers|codec|credentials)\.ts$/;
  const others = [...loaded].filter(
    (file) => !definitions.test(file) && !queues.test(file) && !file.startsWith("node:"),
  );
  expect(others).toEqual([]);
  // What reads, parses, listens or waits is loaded when a source begins.
  const working = [...loaded].filter((file) => /(reader|splitter|parser|door|server|gzip|walk)/.test(file));
  expect(working).toEqual([]);
});

test("index.ts loads no package", async () => {
  const metafile = await bundled();
  const [index] = Object.values(metafile.outputs).filter((output) => output.entryPoint === "src/index.ts");
  const packages = (index?.imports ?? []).filter(
    ({ kind, external, path }) =>
      kind === "import-statement" && external === true && !path.startsWith("node:"),
  );
  expect(packages).toEqual([]);
});
