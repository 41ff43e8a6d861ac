import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { type Project, project } from "./project.ts";

const DIST = new URL("../../dist/", import.meta.url);

/** Does what an instance does: imports the bundle in a process of its own and calls a stage. */
async function inInstance(p: Project, bundle: string, exportName: string, code: string): Promise<string> {
  const program = p.path("instance.mjs");
  const entry = new URL("bundle/import-bundle.js", DIST).href;
  const args = [JSON.stringify(bundle), JSON.stringify(exportName)].join(", ");
  writeFileSync(
    program,
    `import { importBundle } from ${JSON.stringify(entry)};\nconst definition = await importBundle(${args});\n${code}`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ["--enable-source-maps", program]);
  return stdout.trimEnd();
}

const STAGE = `
import { pipeline } from "millrace";
import sep from "./common.cjs";
import { fail } from "./fail.ts";

interface Order { readonly total: number }

const p = pipeline("orders");
const check = p.stage("check", (order: Order) => { if (sep) throw new Error(\`bad \${order.total} in \${import.meta.url}\`); return order; });
const other = p.stage("other", (order: Order) => fail(order.total));
p.source("feed", function* () { yield { total: 1 } as Order; }).to(check).to(p.sink("out", () => {}));
check.to(other).to(p.sink("end", () => {}));
export const orders = p;
`;

test("an instance gets the definition, and errors of its stages lead to the user's line and column", async () => {
  const p = project({
    "orders.ts": STAGE,
    // Its `require` puts a line ahead of the bundle.
    "common.cjs": `module.exports = require("node:path").sep;`,
    "fail.ts": `import { dirname } from "node:path";\nexport const fail = (n: number): number => { if (dirname(import.meta.filename)) throw new RangeError(String(n)); return n; };\n`,
  });
  const { bundle, exportName } = await p.describe("orders.ts");
  const lines = await inInstance(
    p,
    bundle.path,
    exportName,
    `for (const name of ["check", "other"]) {
       try { definition.nodes.get(name).handler.run({ total: 7 }); } catch (error) { console.log(error.stack.split("\\n")[1]); }
     }`,
  );
  const [check, other] = lines.split("\n");
  const column = (STAGE.split("\n")[8] as string).indexOf("new Error") + 1;
  expect(check).toContain(`${p.path("orders.ts")}:9:${column}`);
  expect(other).toContain(
    `${p.path("fail.ts")}:2:${"export const fail = (n: number): number => { if (dirname(import.meta.filename)) throw ".length + 1}`,
  );
});

test("a bundle without that export says so", async () => {
  const p = project({
    "orders.ts": STAGE.replace("./fail.ts", "./f.ts"),
    "common.cjs": "",
    "f.ts": "export const fail = (n: number) => n;",
  });
  const { bundle } = await p.describe("orders.ts");
  await expect(inInstance(p, bundle.path, "nope", "")).rejects.toThrow('there is no export "nope"');
});

test.each(["bundle/import-bundle.ts", "bundle/describe.ts"])(
  "%s loads neither esbuild nor any package",
  async (name) => {
    const { metafile } = await build({
      entryPoints: [fileURLToPath(new URL(`../../src/${name}`, import.meta.url))],
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      packages: "external",
      metafile: true,
      outdir: "out",
    });
    const external = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map(({ path }) => path),
    );
    expect(external.filter((path) => !path.startsWith("node:"))).toEqual([]);
    const files = Object.keys(metafile.inputs).map((path) => path.replace(/^src\//, ""));
    expect(files).toContain(name);
    expect(files).not.toContain("bundle/local-bundle.ts");
  },
);
