import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

/** Items of several types; `check` refuses those whose total is not a number, and has a schema that says so. */
const ORDERS = `
  import { pipeline } from "millrace";
  import * as z from "zod";
  import { note } from "./note.ts";
  interface Order { n: number; total: unknown; at: Date; lines: Map<string, bigint>; raw: Uint8Array }
  const schema = z.object({ n: z.number(), total: z.number(), at: z.date(), lines: z.map(z.string(), z.bigint()), raw: z.any() });
  const p = pipeline("orders");
  const feed = p.source("feed", function* () {
    for (let n = 0; n < 4; n++)
      yield { n, total: "x" as unknown, at: new Date(n), lines: new Map([["a", BigInt(n) ** 70n]]), raw: Buffer.from([n, 255]) };
  });
  const check = p.sink("check", (order: Order) => {
    if (typeof order.total !== "number") throw new TypeError("no total");
    note([order.n, order.total, order.at instanceof Date && order.at.getTime(), String(order.lines.get("a")), [...order.raw]]);
  }, { retry: { attempts: 1 }, schema: schema as z.ZodType<Order> });
  feed.to(check);
  export default p;
`;

test("letters are edited one by one and all by a function, types kept, as the schema allows, and then replayed", {
  timeout: 60_000,
}, async () => {
  const project = cliProject({
    "orders.ts": ORDERS,
    "fix.ts": `
      interface Order { n: number; total: unknown }
      export default (item: Order, letter: { attempts: unknown[] }) =>
        item.total === "x" ? { ...item, total: item.n + letter.attempts.length } : undefined;
      export const wrong = (item: Order) => { if (item.n === 2) throw new Error("not two"); return { ...item, total: "y" }; };
    `,
  });
  const dead = (...args: string[]) =>
    project.millrace(["dead", ...args, "--data", project.data], { env: { EDITOR: "sed -i s/255/254/" } });
  await project.run("orders.ts");

  // Exact: what was exported can be given back, and is the same item.
  expect((await dead("export", "orders", "--to", project.path("letters.jsonl"))).code).toBe(0);
  const exported = readFileSync(project.path("letters.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; item: { n: number; total: unknown } });
  expect(exported.map(({ item }) => item.n).sort()).toEqual([0, 1, 2, 3]);
  const of = (n: number) => exported.find(({ item }) => item.n === n) as (typeof exported)[number];
  const one = await dead(
    "edit",
    "orders",
    of(1).id,
    "--set",
    JSON.stringify({ ...of(1).item, total: 111 }),
    "--json",
  );
  expect(one).toMatchObject({ code: 0, stdout: '{"edited":1}\n' });

  const refused = await dead(
    "edit",
    "orders/check",
    of(2).id,
    "--set",
    JSON.stringify({ ...of(2).item, n: "two" }),
  );
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/MR_ITEM_INVALID .*n: .*; total: .*; nothing was edited/);
  const thrown = await dead("edit", "orders", "--all", "--with", "fix.ts#wrong");
  expect(thrown.stderr).toMatch(/MR_(EDIT_FAILED|ITEM_INVALID)/);
  expect(thrown.code).not.toBe(0);

  // Said twice, the second time there is nothing to do; the one that was edited by hand is left as it is.
  const all = await dead("edit", "orders", "--all", "--with", "fix.ts");
  expect(all).toMatchObject({ code: 0, stdout: expect.stringContaining("3 dead letters") });
  expect((await dead("edit", "orders", "--all", "--with", "fix.ts", "--json")).stdout).toBe('{"edited":0}\n');
  const shown = await dead("show", "orders", of(3).id, "--json", "--exact");
  expect(JSON.parse(shown.stdout)).toMatchObject({
    item: { ...of(3).item, total: 4 },
    edited: { at: expect.any(Number), by: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });

  const { code, json } = await dead("replay", "orders", "--all", "--json");
  expect(code).toBe(0);
  expect(json.deadLetters).toBe(0);
  const big = (n: number) => String(BigInt(n) ** 70n);
  expect(project.notes<[number, ...unknown[]]>().sort(([a], [b]) => a - b)).toEqual([
    [0, 1, 0, big(0), [0, 255]],
    [1, 111, 1, big(1), [1, 255]],
    [2, 3, 2, big(2), [2, 255]],
    [3, 4, 3, big(3), [3, 255]],
  ]);
});
