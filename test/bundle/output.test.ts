import { expect, test } from "vitest";
import { project } from "./project.ts";

test("what a module prints reaches onOutput line by line and disturbs nothing", async () => {
  const p = project({
    "orders.ts": `import { make } from "./make.js";
      for (let i = 0; i < 500; i++) console.log("line", i);
      console.error("careful"); process.stdout.write("no newline");
      export default make("talkative");`,
  });
  const lines: [string, string][] = [];
  const found = await p.describe("orders.ts", { onOutput: (stream, line) => lines.push([stream, line]) });
  expect(found.shape.name).toBe("talkative");
  const out = lines.filter(([stream]) => stream === "stdout").map(([, line]) => line);
  expect(out).toEqual([...Array.from({ length: 500 }, (_, i) => `line ${i}`), "no newline"]);
  expect(lines.filter(([stream]) => stream === "stderr")).toEqual([["stderr", "careful"]]);
});

test("messages that the module itself sends and hears are not taken for answers or orders", async () => {
  const p = project({
    "orders.ts": `import { make } from "./make.js";
      process.send?.("ready"); process.send?.({ kind: "described", description: {} });
      process.on("message", () => {});
      export default make("chatty");`,
  });
  expect((await p.describe("orders.ts")).shape.name).toBe("chatty");
});

test("without onOutput the lines are dropped, a schema's included", async () => {
  const p = project({
    "orders.ts": `import { make } from "./make.js"; console.log("x"); export default make("quiet");`,
  });
  expect((await p.describe("orders.ts")).shape.name).toBe("quiet");
});
