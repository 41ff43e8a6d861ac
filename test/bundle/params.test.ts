import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Project, project } from "./project.ts";

function withSchema(schema: string): Project {
  const p = project({
    "orders.ts": `import { pipeline } from "millrace"; import { z } from "zod";
      const p = pipeline("orders", { params: ${schema} });
      p.source("feed", function* () { yield 1; }).to(p.sink("out", () => {}));
      export default p;`,
  });
  p.link("node_modules/zod", dirname(fileURLToPath(import.meta.resolve("zod"))));
  return p;
}

test("the description carries what the schema makes of the params, defaults included", async () => {
  const p = withSchema(
    `z.object({ limit: z.coerce.number(), region: z.string().default("eu"), note: z.string().optional() })`,
  );
  const found = await p.describe("orders.ts", { params: { limit: "12" } });
  expect(found.params).toEqual({ limit: 12, region: "eu" });
});

test("params that the schema refuses, or does not know", async () => {
  const p = withSchema("z.object({ limit: z.number() })");
  const wrong = await p.refusal("orders.ts", { params: { limit: "many" } });
  expect(wrong.code).toBe("MR_BAD_PARAMS");
  expect(wrong.name).toBe("UsageError");
  expect(wrong.message).toContain("limit");
  expect((await p.refusal("orders.ts")).code).toBe("MR_BAD_PARAMS");
  expect((await p.refusal("orders.ts", { params: { limit: 1, extra: 2 } })).message).toContain("extra");
});

test("a validated param that JSON would lose is named", async () => {
  const p = withSchema("z.object({ window: z.object({ since: z.coerce.date() }) })");
  const error = await p.refusal("orders.ts", { params: { window: { since: "2024-01-01" } } });
  expect(error.code).toBe("MR_BAD_PARAMS");
  expect(error.message).toContain("the param window.since is a Date");
  expect(error.details.path).toBe("window.since");
});

test("a given param that JSON would lose is refused before anything starts", async () => {
  const p = withSchema("z.any()");
  const error = await p.refusal("orders.ts", { params: { ids: [1n] } });
  expect(error.code).toBe("MR_BAD_PARAMS");
  expect(error.message).toContain("the param ids[0] is a bigint");
});
