import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { describeModule } from "../../src/bundle/describe.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { project } from "./project.ts";

/** Long enough for a child on a busy machine to reach the import. */
const SHORT_LIMIT_MS = 2_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the module is not there", () => {
  test("the path that was tried is named, and a likely one is proposed", async () => {
    const p = project({ "orders.ts": "export {};", "folder/index.ts": "export {};" });
    const error = await p.refusal("nope.ts");
    expect(error.code).toBe("MR_MODULE_NOT_FOUND");
    expect(error.message).toBe(`${p.path("nope.ts")}: there is no such file; check the path`);
    expect(error.details.path).toBe(p.path("nope.ts"));
    expect((await p.refusal("orders")).message).toContain(`did you mean ${p.path("orders.ts")}?`);
    expect((await p.refusal("orders.js#a")).message).toContain(`did you mean ${p.path("orders.ts")}?`);
    const folder = await p.refusal("folder");
    expect(folder.message).toContain("this is a folder, not a module");
    expect(folder.message).toContain(p.path("folder/index.ts"));
  });

  test("a relative path is shown as typed, with where it led", async () => {
    const p = project({});
    const typed = relative(process.cwd(), p.path("nope.ts"));
    const request = { module: typed, outDirectory: p.outDirectory };
    await expect(describeModule(nodeEnv, request)).rejects.toThrow(
      `${typed}: there is no such file (tried ${p.path("nope.ts")}); check the path`,
    );
  });

  test("URLs: of a missing file, and of no file at all", async () => {
    const p = project({});
    expect((await p.refusal(String(pathToFileURL(p.path("nope.ts"))))).code).toBe("MR_MODULE_NOT_FOUND");
    expect((await p.refusal("file://host.example/nope.ts")).message).toContain("this URL names no file");
  });
});

describe("the module does not compile", () => {
  test("file, line, column and the line itself are shown", async () => {
    const p = project({
      "orders.ts": `import { bad } from "./lib/bad.ts";\nexport default bad;\n`,
      "lib/bad.ts": `\n  const x = = 1;\n`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toBe(
      [
        `${p.path("lib/bad.ts")}:2:13: does not compile: Unexpected "="; fix the code`,
        "    2 │   const x = = 1;",
        "      ╵             ^",
      ].join("\n"),
    );
    expect(error.details).toEqual({ file: p.path("lib/bad.ts"), line: 2, column: 13 });
  });

  test("the caret stands under the character, not under its byte", async () => {
    const p = project({ "orders.ts": `const größe = "日本"; let = = 1;\n` });
    const error = await p.refusal("orders.ts");
    const [, line, caret] = error.message.split("\n") as [string, string, string];
    expect(line.split("│")[1]?.[(caret.split("╵")[1] ?? "").indexOf("^")]).toBe("=");
  });

  test("an import that a user's file lacks is found at compile time", async () => {
    const p = project({ "orders.ts": `import { nothing } from "./make.js";\nexport default nothing();\n` });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toContain(`${p.path("orders.ts")}:1:10`);
    expect(error.message).toContain(`No matching export in "make.js" for import "nothing"`);
  });

  test("a file of a kind that is no code", async () => {
    const p = project({ "orders.csv": "hello" });
    const error = await p.refusal("orders.csv");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toContain(".csv");
  });
});

describe("an import leads nowhere", () => {
  test("a package: its name, file and line, and what to do", async () => {
    const p = project({ "orders.ts": `\nimport x from "no-such-package/sub";\nexport default x;\n` });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_NOT_FOUND");
    expect(error.message).toContain(
      `${p.path("orders.ts")}:2:15: cannot find "no-such-package/sub"; install the package, or check the name`,
    );
    expect(error.details).toEqual({
      file: p.path("orders.ts"),
      line: 2,
      column: 15,
      specifier: "no-such-package/sub",
    });
  });

  test("a file of the user's own, a #import, a part of millrace, a require", async () => {
    const p = project({
      "package.json": `{ "type": "module" }`,
      "file.ts": `import "./lib/nope.ts";`,
      "hash.ts": `import "#nope";`,
      "own.ts": `import "millrace/nope";`,
      "common.cjs": `require("no-such-package");`,
    });
    const file = await p.refusal("file.ts");
    expect(file.message).toContain(`${p.path("file.ts")}:1:8: cannot find "./lib/nope.ts"; check the path`);
    for (const [module, specifier] of [
      ["hash.ts", "#nope"],
      ["own.ts", "millrace/nope"],
      ["common.cjs", "no-such-package"],
    ] as const) {
      const error = await p.refusal(module);
      expect(error.code).toBe("MR_MODULE_NOT_FOUND");
      expect(error.message).toContain(`${p.path(module)}:1:`);
      expect(error.details.specifier).toBe(specifier);
    }
  });
});

describe("the module fails while it is imported", () => {
  test("a throw: the user's own error, with the user's line in message and stack", async () => {
    const p = project({
      "orders.ts": `import { load } from "./load.ts";\nexport default load("x");\n`,
      "load.ts": `interface Row { a: number }\n\nexport function load(name: string): Row {\n  throw new TypeError(\`no \${name}\`);\n}\n`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toBe(
      `${p.path("orders.ts")}: it threw while it was imported: TypeError: no x at ${p.path("load.ts")}:4:9; fix the exception`,
    );
    const cause = error.cause as Error;
    expect(cause.name).toBe("TypeError");
    expect(cause.message).toBe("no x");
    expect(cause.stack).toContain(`${p.path("load.ts")}:4:9`);
    expect(cause.stack).toContain(`${p.path("orders.ts")}:2:16`);
  });

  test("what is thrown may be anything", async () => {
    const p = project({ "orders.ts": `throw "a text";` });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toContain(`"a text"`);
  });

  test("a rejection that nobody waits for, and a throw in a timer while an await is open", async () => {
    const p = project({
      "rejection.ts": `import { make } from "./make.js"; export default make("x"); void Promise.reject(new Error("lost"));`,
      "timer.ts": `setTimeout(() => {\n  throw new Error("late");\n}, 5);\nawait new Promise(() => {});`,
    });
    expect((await p.refusal("rejection.ts")).message).toContain("Error: lost");
    expect((await p.refusal("timer.ts")).message).toContain(`Error: late at ${p.path("timer.ts")}:2:9`);
  });

  test("process.exit is named, with its code and place", async () => {
    const p = project({
      "orders.ts": `const leave = (code: number): never =>\n  process.exit(code);\nleave(3);\n`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toBe(
      `${p.path("orders.ts")}: it called process.exit(3) while it was imported, at ${p.path("orders.ts")}:2:11; a module must outlive its import`,
    );
    expect(error.details).toMatchObject({ phase: "import", code: 3, signal: null });
  });

  test("process.exit(0) in a pipeline that was complete is a failure too", async () => {
    const p = project({
      "orders.ts": `import { make } from "./make.js"; export default make("x"); process.exit();`,
    });
    expect((await p.refusal("orders.ts")).message).toContain("it called process.exit(0)");
  });

  test("abort and a signal are named, with the last words", async () => {
    const p = project({
      "abort.ts": `console.error("about to go"); process.abort();`,
      "signal.ts": `process.kill(process.pid, "SIGKILL"); for (;;);`,
    });
    const aborted = await p.refusal("abort.ts");
    expect(aborted.code).toBe("MR_MODULE_INVALID");
    expect(aborted.message).toContain("its process was ended by SIGABRT while it was imported");
    expect(aborted.details.output).toContain("about to go");
    expect((await p.refusal("signal.ts")).message).toContain("was ended by SIGKILL while it was imported");
  });

  test("a package that does not load is the module's failure", async () => {
    const p = project({
      "node_modules/broken/index.js": `throw new RangeError("inside a package");`,
      "orders.ts": `import "broken";`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_MODULE_INVALID");
    expect(error.message).toContain("RangeError: inside a package");
  });
});

describe("the module does not come to an end", () => {
  test.each([
    ["blocks", `console.log(process.pid); for (;;);`],
    ["never settles its top-level await", `console.log(process.pid); await new Promise(() => {});`],
  ])("it %s: after the limit its process is gone", async (_, code) => {
    const p = project({ "orders.ts": code });
    const lines: string[] = [];
    const error = await p.refusal("orders.ts", {
      timeoutMs: SHORT_LIMIT_MS,
      onOutput: (_stream, line) => lines.push(line),
    });
    expect(error.code).toBe("MR_MODULE_TIMEOUT");
    expect(error.message).toContain(`after ${SHORT_LIMIT_MS} ms it was not imported`);
    expect(error.details).toMatchObject({ phase: "import", limitMs: SHORT_LIMIT_MS });
    expect(isAlive(Number(lines[0]))).toBe(false);
  });

  test("a schema that never settles is named as such", async () => {
    const p = project({
      "orders.ts": `import { pipeline } from "millrace";
        const params = { "~standard": { version: 1, vendor: "test", validate: () => new Promise(() => {}) } } as const;
        const p = pipeline("orders", { params });
        p.source("feed", function* () { yield 1; }).to(p.sink("out", () => {}));
        export default p;`,
    });
    const error = await p.refusal("orders.ts", { timeoutMs: SHORT_LIMIT_MS });
    expect(error.code).toBe("MR_MODULE_TIMEOUT");
    expect(error.message).toContain("its schema blocks or does not settle");
  });

  test("timers and servers that a module leaves running hold nothing up", async () => {
    const p = project({
      "orders.ts": `import { createServer } from "node:net"; import { make } from "./make.js";
        console.log(process.pid); setInterval(() => {}, 1_000); createServer().listen(0);
        export default make("busy");`,
    });
    const lines: string[] = [];
    const found = await p.describe("orders.ts", { onOutput: (_stream, line) => lines.push(line) });
    expect(found.shape.name).toBe("busy");
    expect(isAlive(Number(lines[0]))).toBe(false);
  });
});

describe("errors of millrace's own keep their code", () => {
  test("a definition that is refused while it is written, with the user's line", async () => {
    const p = project({
      "orders.ts": `import { pipeline } from "millrace";\nconst p = pipeline("orders");\np.source("a", function* () {});\np.source("a", function* () {});\n`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_DUPLICATE_NAME");
    expect(error.name).toBe("DefinitionError");
    expect(error.message).toContain(`(${p.path("orders.ts")}:4:3)`);
  });

  test("a graph that cannot run", async () => {
    const p = project({
      "orders.ts": `import { pipeline } from "millrace";\nconst p = pipeline("orders");\np.sink("out", () => {});\nexport default p;`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_NO_SOURCE");
    expect(error.name).toBe("DefinitionError");
  });

  test.each([
    ["awaited", "await run();"],
    ["not awaited", "void run();"],
  ])("a module that runs itself when it is imported is refused (%s)", async (_, call) => {
    // Stands for millrace's own run(), which looks for the same mark.
    const p = project({
      "orders.ts": `import { UsageError } from "millrace"; import { make } from "./make.js";
        async function run() {
          const role = (globalThis as Record<symbol, unknown>)[Symbol.for("millrace.role")];
          if (role === "describe") throw new UsageError("MR_RUN_IN_INSTANCE", "run(): called on import; guard it");
        }
        export default make("orders");
        ${call}`,
    });
    const error = await p.refusal("orders.ts");
    expect(error.code).toBe("MR_RUN_IN_INSTANCE");
    expect(error.message).toContain("run(): called on import; guard it");
  });
});
