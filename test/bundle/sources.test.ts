import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { manifest, project } from "./project.ts";

const END = `import { make } from "./make.js"; export default make("orders");`;

describe("what a file says of itself", () => {
  test("import.meta is that of the file as written, in each file", async () => {
    const p = project({
      "lib/inner.ts": `export const inner = [import.meta.url, import.meta.filename, import.meta.dirname];`,
      "orders.ts": `import { inner } from "./lib/inner.ts"; ${END}
        const { url, ...rest } = import.meta;
        console.log(JSON.stringify([inner, url, rest.filename, rest.dirname, import.meta.resolve("./x.ts"),
          import.meta.resolve("fs"), (import.meta as { main?: boolean }).main, "import.meta.url"]));`,
    });
    const [inner, ...own] = (await p.printed("orders.ts")) as [unknown, ...unknown[]];
    const url = (name: string): string => pathToFileURL(p.path(name)).href;
    expect(inner).toEqual([url("lib/inner.ts"), p.path("lib/inner.ts"), p.path("lib")]);
    const expected = [url("orders.ts"), p.path("orders.ts"), p.folder, url("x.ts"), "node:fs", false];
    expect(own).toEqual([...expected, "import.meta.url"]);
  });

  test("__filename and __dirname, in CommonJS and in TypeScript that used to be", async () => {
    const p = project({
      "lib/common.cjs": `#!/usr/bin/env node\n"use strict";\nexports.names = [__filename, __dirname];\nexports.strict = (function () { return this === undefined; })();`,
      "lib/plain.cjs": `exports.plain = __filename;`,
      "lib/typed.ts": `export const typed: string[] = [__filename, __dirname];`,
      "orders.ts": `import { names, strict } from "./lib/common.cjs"; import { plain } from "./lib/plain.cjs"; import { typed } from "./lib/typed.ts"; ${END}
        console.log(JSON.stringify([names, strict, plain, typed]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([
      [p.path("lib/common.cjs"), p.path("lib")],
      true,
      p.path("lib/plain.cjs"),
      [p.path("lib/typed.ts"), p.path("lib")],
    ]);
  });

  test("CommonJS that only speaks of import.meta stays CommonJS", async () => {
    const p = project({
      "common.js": `// unlike import.meta.url\nexports.a = 1;\nmodule.exports.b = typeof __filename;`,
      "orders.ts": `import { a, b } from "./common.js"; ${END} console.log(JSON.stringify([a, b]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([1, "string"]);
  });

  test("a user's own require beside CommonJS files", async () => {
    const p = project({
      "data/rows.json": `{ "rows": 3 }`,
      "common.cjs": `module.exports = require("node:path").sep;`,
      "orders.ts": `import { createRequire } from "node:module"; import sep from "./common.cjs"; ${END}
        const require = createRequire(import.meta.url);
        const name = ["./data", "rows.json"].join("/");
        console.log(JSON.stringify([require(name), sep]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([{ rows: 3 }, "/"]);
  });
});

describe("what may be written", () => {
  test("every file extension, TypeScript and JSX included", async () => {
    const p = project({
      "a.mts": `export const a: number = 1;`,
      "b.cts": `const b: number = 2; export = { b };`,
      "c.tsx": `const h = (tag: string): string => tag; export const c = <li />;`,
      "d.jsx": `const h = (tag) => tag; export const d = <p />;`,
      "e.mjs": `export const e = 5;`,
      "f.js": `export const f = 6;`,
      "g.cjs": `exports.g = 7;`,
      "tsconfig.json": `{ "compilerOptions": { "jsx": "react", "jsxFactory": "h" } }`,
      "orders.ts": `import { a } from "./a.mts"; import { b } from "./b.cts"; import { c } from "./c.tsx"; import { d } from "./d.jsx";
        import { e } from "./e.mjs"; import { f } from "./f"; import { g } from "./g.cjs"; ${END}
        console.log(JSON.stringify([a, b, c, d, e, f, g]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([1, 2, "li", "p", 5, 6, 7]);
  });

  test("enums, decorators' settings, type-only imports, and .js that means .ts", async () => {
    const p = project({
      "tsconfig.json": `{ "compilerOptions": { "experimentalDecorators": true } }`,
      "kinds.ts": `export enum Kind { A = "a" } export interface Row { kind: Kind }`,
      "orders.ts": `import { Kind, type Row } from "./kinds.js"; ${END}
        const seen: string[] = []; const mark = (target: unknown, key: string): void => void seen.push(key);
        class Order { @mark total = 1; at = import.meta.filename; }
        const row: Row = { kind: Kind.A };
        console.log(JSON.stringify([row.kind, seen, new Order().total]));`,
    });
    expect(await p.printed("orders.ts")).toEqual(["a", ["total"], 1]);
  });

  test("JSON imports, with and without attributes, from files and packages", async () => {
    const p = project({
      "node_modules/pkg/package.json": manifest({ name: "pkg" }),
      "rates.json": `{ "de": 19 }`,
      "orders.ts": `import rates from "./rates.json" with { type: "json" }; import { de } from "./rates.json"; import pkg from "pkg/package.json"; ${END}
        console.log(JSON.stringify([rates, de, pkg.name]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([{ de: 19 }, 19, "pkg"]);
  });

  test("top-level await, dynamic import of a user's file (run when asked for), file: URLs", async () => {
    const p = project({
      "late.ts": `export const at: string = import.meta.filename; (globalThis as { late?: boolean }).late = true;`,
      "orders.ts": `${END}
        const before = "late" in globalThis;
        const { at } = await import("./late.ts");
        const again = await import("./late.ts");
        console.log(JSON.stringify([before, at, again.at === at]));`,
    });
    expect(await p.printed("orders.ts")).toEqual([false, p.path("late.ts"), true]);
  });

  test("an import for its effect is kept, though the project says there are none", async () => {
    const p = project({
      "package.json": manifest({ name: "shop", type: "module", sideEffects: false }),
      "effect.ts": `(globalThis as { effect?: number }).effect = 1;`,
      "orders.ts": `import "./effect.ts"; ${END} console.log(JSON.stringify("effect" in globalThis));`,
    });
    expect(await p.printed("orders.ts")).toBe(true);
  });
});

describe("the bundle", () => {
  test("leads to the real files where folders are reached through links", async () => {
    const p = project({
      "deep/er/real/orders.ts": `import "../../shared.ts"; ${END}`,
      "deep/er/real/make.js": `export { make } from "../../../make.js";`,
      "deep/shared.ts": `console.log(JSON.stringify([new Error("x").stack?.split("\\n")[1], import.meta.filename]));`,
      "deep/broken/broken.ts": `import "../bad.ts";`,
      "deep/bad.ts": `\nlet = = 1;`,
      "elsewhere/of/bundles/empty.txt": "",
    });
    p.link("link", p.path("deep/er/real"));
    p.link("broken", p.path("deep/broken"));
    p.link("out", p.path("elsewhere/of/bundles"));
    const lines: string[] = [];
    const found = await p.describe("link/orders.ts", {
      outDirectory: p.path("out"),
      onOutput: (_stream, line) => lines.push(line),
    });
    expect(found.module).toBe(p.path("link/orders.ts"));
    const [at, filename] = JSON.parse(lines[0] as string) as [string, string];
    expect(at).toContain(`${p.path("deep/shared.ts")}:1:`);
    expect(filename).toBe(p.path("deep/shared.ts"));
    const error = await p.refusal("broken/broken.ts");
    expect(error.message).toContain(`${p.path("deep/bad.ts")}:2:7: does not compile`);
  });

  test("is named by the SHA-256 of its content, written once, and nothing else is left", async () => {
    const p = project({ "orders.ts": END });
    const first = await p.describe("orders.ts");
    const content = readFileSync(first.bundle.path);
    expect(first.bundle.hash).toBe(createHash("sha256").update(content).digest("hex"));
    expect(first.bundle.path).toBe(`${p.outDirectory}/${first.bundle.hash}.mjs`);
    const { mtimeMs, ino } = statSync(first.bundle.path);
    const again = await Promise.all([p.describe("orders.ts"), p.describe("orders.ts")]);
    expect(again.map(({ bundle }) => bundle)).toEqual([first.bundle, first.bundle]);
    expect(statSync(first.bundle.path)).toMatchObject({ mtimeMs, ino });
    expect(readdirSync(p.outDirectory)).toEqual([`${first.bundle.hash}.mjs`]);
  });

  test("two that make the same bundle at once both get it", async () => {
    const p = project({ "orders.ts": END });
    const found = await Promise.all([1, 2, 3].map(() => p.describe("orders.ts")));
    expect(new Set(found.map(({ bundle }) => bundle.hash)).size).toBe(1);
    expect(readdirSync(p.outDirectory)).toHaveLength(1);
  });

  test("cannot be written: the folder is named", async () => {
    const p = project({ "orders.ts": END, taken: "a file" });
    const error = await p.refusal("orders.ts", { outDirectory: p.path("taken/bundles") });
    expect(error.code).toBe("MR_DATA_UNWRITABLE");
    expect(error.name).toBe("DataDirectoryError");
    expect(error.message).toContain(`${p.path("taken/bundles")}: the bundle cannot be written: ENOTDIR`);
  });

  test("changes its name with the code", async () => {
    const p = project({ "a.ts": END, "b.ts": `${END} export const more = 1;` });
    expect((await p.describe("a.ts")).bundle.hash).not.toBe((await p.describe("b.ts")).bundle.hash);
  });
});
