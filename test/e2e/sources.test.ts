import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { cliProject, countsOf } from "../support/cli-project.ts";
import { killTree } from "../support/process-tree.ts";

const LIMIT = { timeout: 120_000 };

const CSV = `
  import { csv, pipeline } from "millrace";
  import { note } from "./note.ts";
  type Row = { id: number; name: string };
  const p = pipeline("rows");
  p.source("rows", csv<Row>("rows/*.csv*", { types: { id: "number" } }))
    .to(p.sink("out", (rows: Row[]) => { for (const { id } of rows) note(id); }, { instances: 1, batch: { size: 1_000 } }));
  export default p;
`;

test(
  "a CSV with a broken row ends the run naming file and line; mended, the same command takes the rest, nothing twice",
  LIMIT,
  async () => {
    const rows = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => `${from + i},"name, ${from + i}"\n`).join("");
    const broken = `id,name\n${rows(0, 5_000)}5000,oops,\n${rows(5_001, 9_000)}`;
    const project = cliProject({ "rows.ts": CSV, "rows/b.csv": broken });
    writeFileSync(project.path("rows/a.csv.gz"), gzipSync(`id,name\n${rows(9_000, 10_000)}`));

    const first = await project.run("rows.ts");
    expect(first.code).toBe(1);
    expect(first.stderr).toMatch(/MR_BAD_ROW/);
    expect(first.stderr).toContain(
      'rows/b.csv:5002: it has 3 fields, not 2, in "5000,oops,"; correct it and resume',
    );
    expect(first.stderr).not.toMatch(/started again|times in a row/);

    project.write(
      "rows/b.csv",
      readFileSync(project.path("rows/b.csv"), "utf8").replace("5000,oops,", "5000,fine"),
    );
    const second = await project.run("rows.ts");
    expect(second.code).toBe(0);
    expect(second.json.run).toBe(first.json.run);
    expect(second.json.repeats).toEqual(first.json.repeats);
    expect(project.notes<number>().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 10_000 }, (_, i) => i),
    );

    project.write("none.ts", CSV.replace("rows/*.csv*", "nope/*.csv"));
    const missing = await project.run("none.ts", ["--new"]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(
      `nope/*.csv: no file matches (looked for ${project.path("nope/*.csv")})`,
    );
  },
);

test(
  "killed in the middle of a file it goes on there; stopped, it gives nothing twice; ticks go on until they are stopped",
  LIMIT,
  async () => {
    const COUNT = 60_000;
    const project = cliProject({
      "big.txt": Array.from({ length: COUNT }, (_, i) => `${i} ${"x".repeat(40)}\r\n`).join(""),
      "lines.ts": `
        import { lines, pipeline } from "millrace";
        import { appendFileSync } from "node:fs";
        import { setTimeout as sleep } from "node:timers/promises";
        const p = pipeline("lines");
        p.source("lines", lines("big.txt"))
          .to(p.sink("out", async (texts: string[]) => {
            appendFileSync("out.txt", texts.map((text) => text.split(" ")[0] + "\\n").join(""));
            await sleep(20);
          }, { instances: 1, batch: { size: 2_000 } }));
        export default p;
      `,
      "ticks.ts": `
        import { every, pipeline } from "millrace";
        import { note } from "./note.ts";
        const p = pipeline("ticks");
        p.source("ticks", every("50ms")).to(p.sink("out", (tick) => note(tick)));
        export default p;
      `,
    });
    const given = () => {
      try {
        return readFileSync(project.path("out.txt"), "utf8").trimEnd().split("\n");
      } catch {
        return [];
      }
    };
    const killed = project.start("lines.ts");
    await killed.until(() => given().length > 4_000);
    killTree(killed.pid);
    await killed.ended;
    const stopped = project.start("lines.ts");
    const atKill = given().length;
    await stopped.until(() => given().length > atKill + 4_000);
    stopped.signal("SIGINT");
    expect((await stopped.ended).code).toBe(130);
    const atStop = new Set(given());
    const whenStopped = given().length;
    const last = await project.run("lines.ts");
    expect(last.code).toBe(0);
    const all = given();
    expect([...new Set(all.map(Number))].sort((a, b) => a - b)).toEqual(
      Array.from({ length: COUNT }, (_, i) => i),
    );
    expect(all.slice(whenStopped).filter((line) => atStop.has(line))).toEqual([]);
    expect(all.length).toBeLessThan(COUNT + 15_000);

    const ticking = project.start("ticks.ts");
    await ticking.until(() => project.notes().length >= 3);
    ticking.signal("SIGINT");
    const { code, durationMs } = await ticking.ended;
    expect(code).toBe(130);
    expect(durationMs).toBeLessThan(20_000);
    const ticks = project.notes<{ at: number; n: number }>();
    expect(ticks.map(({ n }) => n)).toEqual(ticks.map((_, i) => i + 1));
    expect(countsOf(last.json).out?.completed).toBeGreaterThan(0);
  },
);
