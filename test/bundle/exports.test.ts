import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { project } from "./project.ts";

const TWO = `
import { make } from "./make.js";
export const a = make("alpha");
export const b = make("beta");
export const limit = 3;
`;

describe("which export is meant", () => {
  test("the default export is taken before named ones", async () => {
    const p = project({ "orders.ts": `${TWO}\nexport default make("main");` });
    const found = await p.describe("orders.ts");
    expect(found.exportName).toBe("default");
    expect(found.shape.name).toBe("main");
    expect(found.shape.nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ["feed", "source"],
      ["out", "sink"],
    ]);
    expect(found.shape.edges).toEqual([{ from: "feed", to: "out", conditional: false }]);
    expect(found.module).toBe(p.path("orders.ts"));
    expect(found.params).toEqual({});
  });

  test("the only pipeline is taken, whatever else is exported, the default included", async () => {
    const p = project({
      "orders.ts": `import { make } from "./make.js"; export const limit = 3; export const orders = make("orders");
        export default function help() {}`,
    });
    const found = await p.describe("orders.ts");
    expect(found.exportName).toBe("orders");
  });

  test("one pipeline under two names is no ambiguity", async () => {
    const p = project({
      "orders.ts": `import { make } from "./make.js"; const p = make("x"); export { p as a, p as b };`,
    });
    expect((await p.describe("orders.ts")).exportName).toBe("a");
  });

  test("MODULE#name picks one, by path and by URL", async () => {
    const p = project({ "orders.ts": `${TWO}\nexport default make("main");` });
    expect((await p.describe("orders.ts#b")).shape.name).toBe("beta");
    expect((await p.describe(`${pathToFileURL(p.path("orders.ts"))}#a`)).shape.name).toBe("alpha");
    expect((await p.describe("orders.ts#default")).shape.name).toBe("main");
    expect((await p.describe("orders.ts#")).shape.name).toBe("main");
  });

  test("a # may be part of a file's name", async () => {
    const p = project({ "c#.ts": `${TWO}` });
    expect((await p.describe("c#.ts#a")).shape.name).toBe("alpha");
    const url = pathToFileURL(p.path("c#.ts"));
    expect((await p.describe(`${url}#b`)).shape.name).toBe("beta");
    expect((await p.refusal("c#.ts")).code).toBe("MR_AMBIGUOUS_EXPORT");
  });

  test("CommonJS: exports are found by name, and module.exports is the default", async () => {
    const p = project({
      "named.cjs": `const { make } = require("./make.js"); exports.limit = 1; exports.orders = make("orders");`,
      "whole.cjs": `const { make } = require("./make.js"); module.exports = make("whole");`,
      "two.cjs": `const { make } = require("./make.js"); exports.a = make("a"); exports.b = make("b");`,
    });
    expect((await p.describe("named.cjs")).exportName).toBe("orders");
    expect((await p.describe("whole.cjs")).exportName).toBe("default");
    expect((await p.describe("two.cjs#b")).shape.name).toBe("b");
    const error = await p.refusal("two.cjs");
    expect(error.code).toBe("MR_AMBIGUOUS_EXPORT");
  });
});

describe("nothing to run, or too much", () => {
  test("several pipelines and no default: each is listed as it can be named", async () => {
    const p = project({ "orders.ts": TWO });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_AMBIGUOUS_EXPORT");
    expect(error.name).toBe("UsageError");
    const module = p.path("orders.ts");
    expect(error.message).toBe(
      `${module}: it exports 2 pipelines and none as default; name one of ${module}#a, ${module}#b`,
    );
    expect(error.details.exports).toEqual(["a", "b"]);
  });

  test("nothing runnable: what there is, is told", async () => {
    const p = project({
      "values.ts": `export const limit = 3; export default function go() {} export class Order {};
        export const later = Promise.resolve(1); export const rows = [1]; export const nothing = null;`,
      "empty.ts": `console.log("hello");`,
    });
    const error = await p.refusal("values.ts");
    expect(error.code).toBe("MR_NOTHING_TO_RUN");
    expect(error.message).toContain(`"limit" (a number)`);
    expect(error.message).toContain(`"default" (a function)`);
    expect(error.message).toContain(`"Order" (a class)`);
    expect(error.message).toContain(
      `"later" (a promise: export what it resolves to, with a top-level await)`,
    );
    expect(error.message).toContain(`"rows" (an array)`);
    expect(error.message).toContain(`"nothing" (null)`);
    expect((await p.refusal("empty.ts")).message).toContain("it exports nothing;");
  });

  test("an unknown name: the known ones are listed", async () => {
    const p = project({ "orders.ts": TWO, "values.ts": "export const limit = 3;" });
    const error = await p.refusal("orders.ts#c");
    const module = p.path("orders.ts");
    expect(error.code).toBe("MR_NOTHING_TO_RUN");
    expect(error.message).toBe(`${module}: there is no export "c"; name one of ${module}#a, ${module}#b`);
    expect((await p.refusal("orders.ts#limit")).message).toContain(
      `the export "limit" cannot be run: it is a number; name one of ${module}#a`,
    );
    expect((await p.refusal("values.ts#x")).message).toContain(`it exports "limit" (a number)`);
    expect((await p.refusal("orders.ts#toString")).message).toContain(`there is no export "toString"`);
  });
});
