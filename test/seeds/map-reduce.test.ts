import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

test("ten lines of a book an item, words counted, stored by key in a file that setup opens and teardown closes", {
  timeout: 60_000,
}, async () => {
  const lines = Array.from({ length: 4_003 }, (_, i) =>
    i % 11 === 0
      ? ""
      : `Call me ${["Ishmael", "whale", "Ahab"][i % 3]}; the sea, the sea and chapter ${i % 97}.`,
  );
  const project = cliProject({
    "book.txt": `${lines.join("\r\n")}\r\n`,
    "book.ts": `
      import { open, type FileHandle } from "node:fs/promises";
      import { lines, pipeline } from "millrace";
      import { note } from "./note.ts";
      type Counts = Record<string, number>;
      const p = pipeline("book");
      const read = p.source("read", lines("book.txt", { group: 10 }));
      const count = p.stage("count", (lines: string[]) => {
        const counts: Counts = {};
        for (const word of lines.join(" ").toLowerCase().match(/[a-z]+/g) ?? []) counts[word] = (counts[word] ?? 0) + 1;
        return JSON.stringify(counts);
      }, { instances: 2 });
      const store = p.sink("store", {
        setup: async () => { note("opened"); return await open("counts.ndjson", "a"); },
        async run(batch: string[], ctx) {
          // Upserts: the id of an item is its key, the same if it should come again.
          const rows = batch.map((counts, i) => JSON.stringify([ctx.items[i]?.id, JSON.parse(counts)]));
          await ctx.state.appendFile(rows.map((row) => row + "\\n").join(""));
        },
        async teardown(file: FileHandle) { await file.close(); note("closed"); },
      }, { instances: 1, batch: { size: 50, withinMs: 50 } });
      read.to(count).to(store);
      export default p;
    `,
  });
  const { code, json } = await project.run("book.ts");
  expect(code).toBe(0);
  expect(json.stages.read?.emitted).toBe(401);

  const rows = readFileSync(project.path("counts.ndjson"), "utf8").trim().split("\n");
  const store = new Map(rows.map((row) => JSON.parse(row) as [string, Record<string, number>]));
  const totals: Record<string, number> = {};
  for (const counts of store.values())
    for (const [word, times] of Object.entries(counts)) totals[word] = (totals[word] ?? 0) + times;
  const expected: Record<string, number> = {};
  for (const word of lines
    .join("\n")
    .toLowerCase()
    .match(/[a-z]+/g) ?? [])
    expected[word] = (expected[word] ?? 0) + 1;
  expect(store.size).toBe(401);
  expect(totals).toEqual(expected);
  expect(project.notes()).toEqual(["opened", "closed"]);
});
