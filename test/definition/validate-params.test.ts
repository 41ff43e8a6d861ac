import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { StandardSchema } from "../../src/definition/shape.ts";
import { validateParams } from "../../src/definition/validate-params.ts";
import { UsageError } from "../../src/index.ts";

async function refusal(
  schema: StandardSchema | undefined,
  raw: Record<string, unknown>,
): Promise<UsageError> {
  const error = await validateParams({ name: "orders", ...(schema && { params: schema }) }, raw).then(
    (value) => expect.fail(`was accepted: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UsageError)) throw error;
  expect(error.code).toBe("MR_BAD_PARAMS");
  return error;
}

const accepted = (schema: StandardSchema, raw: Record<string, unknown>) =>
  validateParams({ name: "orders", params: schema }, raw);

/** A schema by hand, as another library would have it. */
function schema(validate: StandardSchema["~standard"]["validate"]): StandardSchema {
  return { "~standard": { version: 1, vendor: "by-hand", validate } };
}

describe("without a schema", () => {
  test("there are no params", async () => {
    expect(await validateParams({ name: "orders" }, {})).toEqual({});
  });

  test("a param is refused by name", async () => {
    const error = await refusal(undefined, { rate: 1, to: "x" });
    expect(error.message).toBe(
      "params of pipeline orders: it takes none, got rate, to; give pipeline() a schema as its params option",
    );
  });
});

describe("with a zod schema", () => {
  const priced = z.object({ rate: z.coerce.number().positive(), currency: z.string().default("EUR") });

  test("params are what it makes of them", async () => {
    expect(await accepted(priced, { rate: "2.5" })).toEqual({ rate: 2.5, currency: "EUR" });
  });

  test("every issue is reported with its path", async () => {
    const nested = z.object({ rate: z.number(), to: z.object({ list: z.array(z.string()) }) });
    const error = await refusal(nested, { rate: "x", to: { list: ["a", 1] } });
    expect(error.message).toMatch(
      /^params of pipeline orders: rate: .+; to\.list\.1: .+; give what the schema asks for$/,
    );
    expect(error.details.issues).toMatchObject([{ path: "rate" }, { path: "to.list.1" }]);
  });

  test("a param that the schema drops is unknown", async () => {
    const error = await refusal(priced, { rate: 1, curency: "USD" });
    expect(error.message).toBe(
      "params of pipeline orders: unknown param curency; known here are rate, currency",
    );
  });

  test("a param named like something that every object has is unknown too", async () => {
    const error = await refusal(z.object({}), { toString: "x", constructor: 1 });
    expect(error.details.unknown).toEqual(["toString", "constructor"]);
  });
});

describe("with any Standard Schema", () => {
  test("validation may take its time", async () => {
    const slow = schema(async (value) => ({ value: { ...(value as object), checked: true } }));
    expect(await accepted(slow, { a: 1 })).toEqual({ a: 1, checked: true });
  });

  test("a path may consist of objects, symbols and numbers, or be missing", async () => {
    const picky = schema(() => ({
      issues: [{ message: "no", path: [{ key: "a" }, 0, Symbol("s")] }, { message: "nothing fits" }],
    }));
    const error = await refusal(picky, {});
    expect(error.message).toContain("a.0.Symbol(s): no; nothing fits; give");
  });

  test("an output with getters counts as having them", async () => {
    class Params {
      get rate() {
        return 2;
      }
    }
    expect(
      await accepted(
        schema(() => ({ value: new Params() })),
        { rate: 1 },
      ),
    ).toBeInstanceOf(Params);
  });

  test.each([[null], [[1]], ["text"], [7], [undefined]])("an output of %j is refused", async (value) => {
    const error = await refusal(
      schema(() => ({ value })),
      {},
    );
    expect(error.message).toContain("must put out an object");
  });

  test("a schema that throws is named as the cause", async () => {
    const cause = new Error("out of order");
    const error = await refusal(
      schema(() => {
        throw cause;
      }),
      {},
    );
    expect(error.message).toContain("the schema itself failed: out of order");
    expect(error.cause).toBe(cause);
  });
});
