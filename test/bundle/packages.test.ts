import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { manifest, project } from "./project.ts";

const END = `import { make } from "./make.js"; export default make("orders");`;

test("a package is the one that Node would import from there, by its exports and conditions", async () => {
  const p = project({
    "node_modules/pkg/package.json": manifest({
      name: "pkg",
      exports: { ".": { import: "./i.mjs", require: "./r.cjs" }, "./sub": "./sub.mjs" },
    }),
    "node_modules/pkg/i.mjs": `export default "import"; export const url = import.meta.url;`,
    "node_modules/pkg/r.cjs": `module.exports = "require";`,
    "node_modules/pkg/sub.mjs": `export default "sub";`,
    "common.cjs": `module.exports = [require("pkg"), require.resolve("pkg")];`,
    "orders.ts": `import a, { url } from "pkg"; import sub from "pkg/sub"; import common from "./common.cjs"; ${END}
      const later = (await import("pkg")).default;
      console.log(JSON.stringify([a, sub, later, common, url]));`,
  });
  const [a, sub, later, common, url] = (await p.printed("orders.ts")) as [
    unknown,
    unknown,
    unknown,
    unknown,
    string,
  ];
  expect([a, sub, later]).toEqual(["import", "sub", "import"]);
  expect(common).toEqual(["require", p.path("node_modules/pkg/r.cjs")]);
  expect(fileURLToPath(url)).toBe(p.path("node_modules/pkg/i.mjs"));
});

test("each file finds the packages beside it, and a package is loaded once", async () => {
  const p = project({
    "node_modules/pkg/index.js": `module.exports = { who: "outer", count: 0 };`,
    "sub/node_modules/pkg/index.js": `module.exports = { who: "inner", count: 0 };`,
    "sub/inner.ts": `import pkg from "pkg"; export { pkg };`,
    "again.cjs": `exports.pkg = require("pkg");`,
    "orders.ts": `import pkg from "pkg"; import { pkg as inner } from "./sub/inner.ts"; import { pkg as again } from "./again.cjs"; ${END}
      console.log(JSON.stringify([pkg.who, inner.who, again === pkg]));`,
  });
  expect(await p.printed("orders.ts")).toEqual(["outer", "inner", true]);
});

test("a package's deep file without an extension is found, as bundlers and require do", async () => {
  const p = project({
    "node_modules/old/package.json": manifest({ name: "old", main: "main" }),
    "node_modules/old/main.js": `module.exports = "main";`,
    "node_modules/old/fp.js": `module.exports = "fp";`,
    "orders.ts": `import main from "old"; import fp from "old/fp"; ${END} console.log(JSON.stringify([main, fp]));`,
  });
  expect(await p.printed("orders.ts")).toEqual(["main", "fp"]);
});

test("a relative path into node_modules stays outside too", async () => {
  const p = project({
    "node_modules/pkg/index.mjs": `export const url = import.meta.url; export const me = {};`,
    "orders.ts": `import { me } from "./node_modules/pkg/index.mjs"; import { me as same, url } from "pkg/index.mjs"; ${END}
      console.log(JSON.stringify([me === same, url]));`,
  });
  const [same, url] = (await p.printed("orders.ts")) as [boolean, string];
  expect(same).toBe(true);
  expect(fileURLToPath(url)).toBe(p.path("node_modules/pkg/index.mjs"));
});

test("what Node does not know is looked up in tsconfig's paths", async () => {
  const p = project({
    "tsconfig.json": `{ "compilerOptions": { "paths": { "@lib/*": ["./src/lib/*"] } } } // comments are fine`,
    "src/lib/tax.ts": `export const rate: number = 19;`,
    "orders.ts": `import { rate } from "@lib/tax"; ${END} console.log(JSON.stringify(rate));`,
  });
  expect(await p.printed("orders.ts")).toBe(19);
});

test("#imports and a package's own name lead to the same file as a relative path", async () => {
  const p = project({
    "package.json": manifest({
      name: "shop",
      type: "module",
      imports: { "#lib/*": "./lib/*", "#ts/*": "./lib/*.ts" },
      exports: { "./state": "./lib/state.js" },
    }),
    "lib/state.js": `export const state = {};`,
    "lib/typed.ts": `export const typed: object = {};`,
    "orders.ts": `import { state as a } from "#lib/state.js"; import { state as b } from "./lib/state.js";
      import { state as c } from "shop/state"; import { typed as d } from "#ts/typed"; import { typed as e } from "./lib/typed.ts";
      ${END} console.log(JSON.stringify([a === b, b === c, d === e]));`,
  });
  expect(await p.printed("orders.ts")).toEqual([true, true, true]);
});

test("a linked workspace package: TypeScript is bundled, JavaScript is loaded by Node", async () => {
  const p = project({
    "packages/typed/package.json": manifest({ name: "typed", exports: "./src/index.ts" }),
    "packages/typed/src/index.ts": `import { more } from "./more.ts"; export const typed: string = more + import.meta.filename;`,
    "packages/typed/src/more.ts": `export const more = "at ";`,
    "packages/plain/package.json": manifest({ name: "plain", type: "module", exports: "./index.js" }),
    "packages/plain/index.js": `export const url = import.meta.url; export const line = new Error("x").stack.split("\\n")[1];`,
    "app/make.js": `export { make } from "../make.js";`,
    "app/orders.ts": `import { typed } from "typed"; import { url, line } from "plain"; ${END}
      console.log(JSON.stringify([typed, url, line]));`,
  });
  p.link("app/node_modules/typed", p.path("packages/typed"));
  p.link("app/node_modules/plain", p.path("packages/plain"));
  const [typed, url, line] = (await p.printed("app/orders.ts")) as [string, string, string];
  expect(typed).toBe(`at ${p.path("packages/typed/src/index.ts")}`);
  expect(fileURLToPath(url)).toBe(p.path("packages/plain/index.js"));
  expect(line).toContain(p.path("packages/plain/index.js"));
});

test("an optional package that is missing is the user's to handle", async () => {
  const p = project({
    "common.cjs": `try { require("not-installed"); } catch (error) { exports.code = error.code; }`,
    "orders.ts": `import { code } from "./common.cjs"; ${END}
      let later; try { await import("not-installed"); } catch (error) { later = (error as { code: string }).code; }
      console.log(JSON.stringify([code, later]));`,
  });
  expect(await p.printed("orders.ts")).toEqual(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]);
});

test("Node's own modules, with and without the prefix, in both module systems", async () => {
  const p = project({
    "common.cjs": `module.exports = [require("path").sep, require("node:fs/promises").constants !== undefined];`,
    "orders.ts": `import { sep } from "path"; import * as fs from "node:fs"; import common from "./common.cjs"; ${END}
      console.log(JSON.stringify([sep, typeof fs.readFileSync, common]));`,
  });
  expect(await p.printed("orders.ts")).toEqual(["/", "function", ["/", true]]);
});

test("millrace is the running one, whatever copy the project has installed", async () => {
  const other = `export const pipeline = () => "another copy"; export const copy = "another";`;
  const p = project({
    "node_modules/millrace/package.json": manifest({
      name: "millrace",
      type: "module",
      exports: "./index.js",
    }),
    "node_modules/millrace/index.js": other,
    "common.cjs": `exports.UsageError = require("millrace").UsageError;`,
    "orders.ts": `import { UsageError } from "millrace"; import { UsageError as same } from "./common.cjs"; ${END}
      console.log(JSON.stringify([import.meta.resolve("millrace"), UsageError === same]));`,
  });
  const [installed, isSame] = (await p.printed("orders.ts")) as [string, boolean];
  expect(fileURLToPath(installed)).toBe(p.path("node_modules/millrace/index.js"));
  expect(isSame).toBe(true);
  const { bundle } = await p.describe("orders.ts");
  const { readFileSync } = await import("node:fs");
  const own = join(import.meta.dirname, "../../dist/index.js");
  expect(readFileSync(bundle.path, "utf8")).toContain(`from "file://${own}"`);
});
