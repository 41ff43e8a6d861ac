import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import { type Call, ORDERS } from "../support/orders-project.ts";

const LIMIT = { timeout: 120_000 };
const LIMIT_MS = { timeoutMs: 50_000 };

test(
  "what is put back with --no-run waits for the next run, which takes the source up again",
  LIMIT,
  async () => {
    const endless = ORDERS.replace("*run()", "async *run()")
      .replace(
        "yield { n }; }",
        "yield { n }; while (!existsSync('end')) await new Promise((done) => setTimeout(done, 10)); }",
      )
      .replace("import", 'import { existsSync } from "node:fs"; import');
    const project = cliProject({ "orders.ts": endless });
    const running = project.start("orders.ts", []);
    await running.until((said) => said.includes("orders runs"));
    while ((await project.deadLetters("orders")).length < 5);
    running.signal("SIGINT");
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);

    const args = ["dead", "replay", "orders", "--all", "--no-run", "--json", "--data", project.data];
    const put = await project.millrace(args);
    expect(put).toMatchObject({ code: 0, stderr: expect.stringContaining("--resume") });
    expect(JSON.parse(put.stdout)).toEqual({ run: stopped.json.run, replayed: 5 });
    expect(await project.deadLetters("orders")).toEqual([]);

    project.write("end", "");
    project.write("orders.ts", endless.replace("n % 2 === 1", "false"));
    const { code, json, stderr } = await project.run("orders.ts");
    expect(stderr).toContain("orders resumes");
    expect(code).toBe(0);
    expect(json).toMatchObject({ run: stopped.json.run, deadLetters: 0 });
    expect(unsettled(json)).toEqual({});
    expect(project.notes("starts")).toHaveLength(2);
    expect(new Set(project.notes<number>())).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  },
);

test("of a live run: letters go back to the stage that is at work; a stage that has completed waits for the run's end", {
  timeout: 90_000,
}, async () => {
  const live = ORDERS.replace("*run()", "async *run()")
    .replace(
      "yield { n }; }",
      "yield { n }; while (!existsSync('end')) await new Promise((done) => setTimeout(done, 10)); }",
    )
    .replace("=> note(item.n)", "=> { if (item.n === 8) await until('out'); note(item.n); }")
    .replace('sink("out", (item', 'sink("out", async (item')
    .replace("n % 2 === 1", "n % 2 === 1 && !existsSync('fixed')")
    .replace(
      "const p =",
      "const until = async (file: string) => { while (!existsSync(file)) await new Promise((done) => setTimeout(done, 10)); };\n  const p =",
    )
    .replace("import", 'import { existsSync } from "node:fs"; import');
  const project = cliProject({ "orders.ts": live });
  const dead = (...args: string[]) => project.millrace(["dead", ...args, "--data", project.data], LIMIT_MS);
  const running = project.start("orders.ts", [], { timeoutMs: 80_000 });
  await running.until((said) => said.includes("orders runs"));
  let letters = await project.deadLetters("orders");
  while (letters.length < 5) letters = await project.deadLetters("orders");

  project.write("fixed", "");
  const ids = letters.slice(0, 3).map(({ id }) => id);
  const some = await dead("replay", "orders/check", ...ids, "--json");
  expect(some.code).toBe(0);
  expect(JSON.parse(some.stdout)).toMatchObject({ replayed: 3 });
  expect(some.stderr).toContain("the run is at work on them");
  while (project.notes<Call>("calls").filter((call) => call[3] === 1).length < 3)
    await new Promise(setImmediate);
  expect(existsSync(project.path("end"))).toBe(false);

  // The source ends, so that `check` completes; `out` goes on, and with it the run.
  project.write("end", "");
  const status = async (): Promise<string> =>
    (await dead("replay", "orders/check", letters[3]?.id ?? "", "--no-run")).stderr;
  const late = status();
  const ended = running.ended;
  await new Promise((done) => setTimeout(done, 300));
  project.write("out", "");
  expect((await ended).json.status).toBe("completed");
  await late;
  const rest = await dead("replay", "orders", "--all", "--json");
  expect(rest.code).toBe(0);
  expect(rest.json.deadLetters).toBe(0);
  expect(unsettled(rest.json)).toEqual({});
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test(
  "what cannot be replayed says why, and moves nothing: an unknown id, a lost stage or module, no choice",
  LIMIT,
  async () => {
    const project = cliProject({ "orders.ts": ORDERS });
    const dead = (...args: string[]) => project.millrace(["dead", ...args, "--data", project.data]);
    await project.run("orders.ts");
    const [first] = await project.deadLetters("orders");
    const id = first?.id ?? "";

    const cases: [args: string[], code: number, says: string[]][] = [
      [["replay", "orders", id, "none"], 3, ["MR_DEAD_LETTER_UNKNOWN", '"none"']],
      [["replay", "orders/out", id], 3, ["MR_DEAD_LETTER_UNKNOWN"]],
      [["replay", "orders"], 2, ["--all"]],
      [["replay", "orders", id, "--all"], 2, ["exclude"]],
      [["drop", "orders", "--all", "--reason", "boredom"], 2, ["not-decodable"]],
      [["replay", "orders", "--all", "--module", "gone.ts"], 3, ["MR_MODULE_NOT_FOUND", "gone.ts"]],
    ];
    for (const [args, code, says] of cases) {
      const result = await dead(...args);
      expect([args, result.code, result.stdout]).toEqual([args, code, ""]);
      for (const text of says) expect(result.stderr).toContain(text);
    }
    project.write("orders.ts", ORDERS.replace('"check"', '"verify"'));
    const lost = await dead("replay", "orders", "--all");
    expect(lost.code).toBe(4);
    expect(lost.stderr).toMatch(/lost \(check\).*nothing was put back/);
    expect(await project.deadLetters("orders")).toHaveLength(5);

    // The module has moved.
    project.write("elsewhere/orders.ts", ORDERS.replace("n % 2 === 1", "false").replace("./note", "../note"));
    expect((await dead("replay", "orders", id, "--module", "elsewhere/orders.ts")).code).toBe(8);
    expect((await dead("drop", "orders", "--all", "--error", "ODD: 9")).stdout).toContain("1 dead letter");
    expect((await dead("drop", "orders", "--all", "--json")).stdout).toBe('{"dropped":3}\n');
    expect(await project.deadLetters("orders")).toEqual([]);
  },
);

test("an item is opened in $EDITOR, and is as it was when that fails or changes nothing", {
  timeout: 60_000,
}, async () => {
  const project = cliProject({
    "odd.ts": `
      import { pipeline } from "millrace";
      const p = pipeline("odd");
      p.source("feed", function* () { yield { n: 255, at: new Date(0) }; })
        .to(p.sink("out", () => { throw new Error("no"); }, { retry: { attempts: 1 } }));
      export default p;
    `,
  });
  const dead = (editor: string, ...args: string[]) =>
    project.millrace(["dead", ...args, "--data", project.data], { env: { EDITOR: editor, VISUAL: "" } });
  await project.run("odd.ts");
  const [letter] = await project.deadLetters("odd");
  const id = letter?.id ?? "";

  expect(await dead("false", "edit", "odd", id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("code 1"),
  });
  expect(await dead("", "edit", "odd", id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("EDITOR"),
  });
  expect(await dead("true", "edit", "odd", id)).toMatchObject({ code: 0, stderr: "nothing was changed\n" });
  expect((await dead("sed -i s/255,/256/", "edit", "odd", id)).stderr).toContain("not JSON");
  expect((await dead("sed -i s/255/256/", "edit", "odd", id)).code).toBe(0);
  const [edited] = await project.deadLetters("odd");
  expect(edited).toMatchObject({ id, item: { n: 256, at: "1970-01-01T00:00:00.000Z" }, edited: {} });
});
