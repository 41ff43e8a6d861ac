import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("index.ts loads definitions alone, since every instance loads it", async () => {
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
  const loaded = new Set(["src/index.ts"]);
  // A set hands out what is added while it is gone through. Dynamic imports are loaded on demand.
  for (const file of loaded) {
    for (const { path, kind } of metafile.inputs[file]?.imports ?? []) {
      if (kind === "import-statement") loaded.add(path);
    }
  }
  expect(loaded).toContain("src/definition/pipeline.ts");
  const others = [...loaded].filter((file) => !/^src\/(index|errors|definition\/[^/]+)\.ts$/.test(file));
  expect(others).toEqual([]);
});
