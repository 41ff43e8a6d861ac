import { expect, test } from "vitest";
import { cliProject, countsOf, unsettled } from "../support/cli-project.ts";
import { type Call, ORDERS } from "../support/orders-project.ts";

const LIMIT = { timeout: 60_000 };

test(
  "letters of a completed run are replayed one, some and all with the fixed code: same ids, fresh attempts, no source",
  LIMIT,
  async () => {
    const project = cliProject({ "orders.ts": ORDERS });
    const dead = (...args: string[]) => project.millrace(["dead", ...args, "--data", project.data]);
    expect((await project.run("orders.ts")).code).toBe(8);
    const letters = await project.deadLetters("orders");
    const idOf = new Map(letters.map(({ id, item }) => [(item as { n: number }).n, id]));
    expect([...idOf.keys()].sort()).toEqual([1, 3, 5, 7, 9]);

    // Not repaired: it dies again, and its letter says that it had been replayed.
    const again = await dead("replay", "orders/check", idOf.get(1) as string, "--json");
    expect(again.code).toBe(8);
    expect(again.json).toMatchObject({ status: "completed", deadLetters: 5 });
    expect(countsOf(again.json).check).toEqual({ accepted: 11, completed: 5, dead: 6, emitted: 5 });
    const one = await dead("show", "orders", idOf.get(1) as string, "--json");
    expect(JSON.parse(one.stdout)).toMatchObject({ replay: 1, attempts: [{}, {}] });

    project.write("orders.ts", ORDERS.replace("n % 2 === 1", "n > 8"));
    const some = await dead("replay", "orders", idOf.get(1) as string, idOf.get(3) as string, "--json");
    expect(some.stderr).toContain("2 dead letters put back");
    expect(some.json).toMatchObject({ status: "completed", deadLetters: 3 });
    expect(some.code).toBe(8);

    project.write("orders.ts", ORDERS.replace("n % 2 === 1", "false"));
    const all = await dead("replay", "orders", "--all", "--json");
    expect(all.code).toBe(0);
    expect(unsettled(all.json)).toEqual({});
    expect(countsOf(all.json)).toEqual({
      feed: { emitted: 10 },
      check: { accepted: 16, completed: 10, dead: 6, emitted: 10 },
      out: { accepted: 10, completed: 10 },
    });
    expect(project.notes<number>().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(project.notes("starts")).toEqual(["source starts"]);
    expect(await project.deadLetters("orders")).toEqual([]);

    const calls = project.notes<Call>("calls");
    for (const [n, id] of idOf) {
      const mine = calls.filter((call) => call[0] === n);
      expect(new Set(mine.map((call) => call[1]))).toEqual(new Set([id]));
      expect(mine.at(-1)?.slice(2)).toEqual([1, n === 1 ? 2 : 1]);
    }
  },
);
