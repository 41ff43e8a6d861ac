import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type BadRow, csv } from "../../src/index.ts";
import { fieldReader } from "../../src/sources/csv-types.ts";
import { readSource, withShortReads } from "../support/source-bench.ts";
import { tempFolder } from "../support/temp-folder.ts";

const field = fc.string({
  unit: fc.constantFrom("a", "ä", "😀", '"', ",", ";", "\n", "\r\n", " ", "1"),
  maxLength: 6,
});

/** As a program writes it: quoted where it must be, or now and then where it need not. */
function written(text: string, delimiter: string, always: boolean): string {
  const must = always || text === "" || /["\n\r]/.test(text) || text.includes(delimiter);
  return must ? `"${text.replaceAll('"', '""')}"` : text;
}

test("gives the records that csv-parse finds, and from any token on exactly the rest", async () => {
  const { write } = tempFolder();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(field, field, field), { maxLength: 25 }),
      fc.record({
        delimiter: fc.constantFrom(",", ";", "\t"),
        end: fc.constantFrom("\n", "\r\n"),
        always: fc.boolean(),
        isOpen: fc.boolean(),
        step: fc.integer({ min: 1, max: 20 }),
        read: fc.integer({ min: 1, max: 40 }),
      }),
      async (rows, { delimiter, end, always, isOpen, read, step }) => {
        const text = [["x", "y", "z"], ...rows]
          .map((row) => row.map((each) => written(each, delimiter, always)).join(delimiter))
          .join(end);
        const path = write("rows.csv", isOpen ? text : text + end);
        const oracle = parse(readFileSync(path), { columns: true, delimiter, skip_empty_lines: true });
        const env = withShortReads(read);
        const source = csv(path, { delimiter });
        const { items, tokens, error } = await readSource(source, { env });
        expect(error).toBeUndefined();
        expect(items).toEqual(oracle);
        expect(items).toEqual(rows.map(([x, y, z]) => ({ x, y, z })));
        for (const { token, covers } of tokens.filter((_, i) => i % step === 0)) {
          const rest = await readSource(source, { env, resume: token });
          expect(rest.error).toBeUndefined();
          expect(rest.items).toEqual(items.slice(covers));
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("columns get types and names; a field that is none of its type makes a bad row", async () => {
  const { path, write } = tempFolder({
    "typed.csv": 'id,at,ok,tags\n1,2024-05-01T00:00:00Z,true,"a|b"\n,,,\n0x,x,x,\n2,,0,c\n',
    "bare.csv": "1;one\n2;two\n\n",
  });
  type Row = { id: number | null; at: Date | null; ok: boolean | null; tags: string[] };
  const bad: BadRow[] = [];
  const { items } = await readSource(
    csv<Row>(path("typed.csv"), {
      types: { id: "number", at: "date", ok: "boolean", tags: (text: string) => text.split("|") },
      onBadRow: (row, error) => {
        bad.push(row);
        expect(error.message).toMatch(/typed\.csv:4: column "id": "0x" is not a number, in "0x,x,x,"/);
      },
    }),
  );
  expect(items).toEqual([
    { id: 1, at: new Date("2024-05-01"), ok: true, tags: ["a", "b"] },
    { id: null, at: null, ok: null, tags: [""] },
    { id: 2, at: null, ok: false, tags: ["c"] },
  ]);
  expect(bad).toEqual([{ file: path("typed.csv"), line: 4, text: "0x,x,x," }]);

  const named = csv<{ n: number; word: string }>(path("bare.csv"), {
    columns: ["n", "word"],
    delimiter: ";",
    types: { n: "number" },
  });
  expect((await readSource(named)).items).toEqual([
    { n: 1, word: "one" },
    { n: 2, word: "two" },
  ]);
  expect(
    (await readSource(csv<string[]>(path("bare.csv"), { columns: false, delimiter: ";" }))).items,
  ).toEqual([
    ["1", "one"],
    ["2", "two"],
  ]);
  const lacking = await readSource(csv<{ n: number }>(path("typed.csv"), { types: { n: "number" } }));
  expect(lacking.error?.message).toMatch(
    /typed\.csv:1: there is no column "n", which has a type; the columns are id, at/,
  );
  expect((await readSource(csv(write("twice.csv", "a,a\n1,2\n")))).error?.message).toMatch(/two columns "a"/);
  expect((await readSource(csv(write("empty.csv", "")))).items).toEqual([]);
});

test("a stray quote costs its row and no other: skipped, given as an item, or the end - to be resumed there", async () => {
  const rows = Array.from({ length: 3_000 }, (_, i) => `${i},name ${i}`);
  const broken = [...rows];
  broken[700] = '700,"never closed';
  broken[1_500] = '1500,a "quoted" word';
  broken[2_000] = "2000";
  broken[2_999] = '2999,"open at the end';
  const { path, write } = tempFolder({ "rows.csv": `id,name\n${broken.join("\n")}\n` });
  const good = rows
    .map((row, id) => ({ id: String(id), name: row.split(",")[1] }))
    .filter(({ id }) => !["700", "1500", "2000", "2999"].includes(id));

  const skipped = await readSource(csv(path("rows.csv"), { onBadRow: "skip" }));
  expect(skipped.items).toEqual(good);
  expect(skipped.warnings).toEqual([
    expect.stringMatching(/rows\.csv:702: left out: there is text between/),
    expect.stringMatching(/rows\.csv:1502: left out: there is a quote within a field/),
    expect.stringMatching(/rows\.csv:2002: left out: it has 1 field, not 2/),
    expect.stringMatching(/rows\.csv:3001: left out: a quote that is opened is not closed/),
  ]);

  type Either = { id: string; name: string } | BadRow;
  const routed = await readSource(csv<Either>(path("rows.csv"), { onBadRow: (row) => row }));
  expect(routed.items.filter((item) => "line" in item)).toEqual(
    [700, 1_500, 2_000, 2_999].map((i) => ({ file: path("rows.csv"), line: i + 2, text: broken[i] })),
  );
  expect(routed.items).toHaveLength(3_000);

  // By default it ends there. Mended, it goes on there: nothing twice, nothing left out.
  const found: unknown[] = [];
  let resume: unknown;
  for (const i of [700, 1_500, 2_000, 2_999]) {
    const { items, tokens, error } = await readSource(csv(path("rows.csv")), { resume });
    expect(error).toMatchObject({
      code: "MR_BAD_ROW",
      message: expect.stringMatching(
        new RegExp(`rows\\.csv:${i + 2}: .*; correct it and resume, or pass onBadRow`),
      ),
    });
    found.push(...items);
    expect(tokens.at(-1)?.covers).toBe(items.length);
    resume = tokens.at(-1)?.token;
    broken[i] = rows[i] as string;
    writeFileSync(path("rows.csv"), `id,name\n${broken.join("\n")}\n`);
  }
  found.push(...(await readSource(csv(path("rows.csv")), { resume })).items);
  expect(found).toEqual(rows.map((row, id) => ({ id: String(id), name: row.split(",")[1] })));

  // A quote that no end is in sight of is not searched for without end.
  const long = write("long.csv", `id,name\n1,"open\n${"2,two\n".repeat(60_000)}`);
  const searched = await readSource(csv(long, { maxLine: "10KB", onBadRow: "skip" }));
  expect(searched.items).toHaveLength(60_000);
});

test("an onBadRow that throws ends the source; mistakes in the options are told when it is made", async () => {
  const { path } = tempFolder({ "x.csv": "a,b\n1\n" });
  const thrower = csv(path("x.csv"), {
    onBadRow: () => {
      throw new Error("no");
    },
  });
  expect((await readSource(thrower)).error?.message).toMatch(
    /x\.csv:2: it has 1 field, not 2, and onBadRow threw Error: no/,
  );
  expect(() => csv("x", { delimiter: "" })).toThrow(/delimiter must be a text that is not empty/);
  expect(() => csv("x", { quote: "''" })).toThrow(/quote must be one character, or false/);
  expect(() => csv("x", { columns: ["a", "a"] })).toThrow(/columns must be a list of names/);
  expect(() => csv("x", { types: { a: "int" as never } })).toThrow(/types must be an object whose values/);
  expect(() => csv("x", { onBadRow: "ignore" as never })).toThrow(
    /onBadRow must be "fail", "skip" or a function/,
  );
});

test("a date is one of ISO 8601 and of the calendar, a number is decimal; anything else is a bad row, not another value", () => {
  const date = fieldReader("date") as (text: string) => Date;
  const number = fieldReader("number") as (text: string) => number;
  for (const [text, expected] of [
    ["2024-02-29", "2024-02-29T00:00:00.000Z"],
    ["2026-11-28T09:30:00Z", "2026-11-28T09:30:00.000Z"],
    ["2026-11-28 09:30:00.25+0200", "2026-11-28T07:30:00.250Z"],
    [" 2026-11-28T09:30+05:30 ", "2026-11-28T04:00:00.000Z"],
  ] as const)
    expect([text, date(text).toISOString()]).toEqual([text, expected]);
  expect(date("2026-11-28 09:30").getHours()).toBe(9);
  const none = ["2023-02-29", "2020-04-31", "2020-13-01", "2020-01-00", "2026-11-28T25:00"];
  for (const text of [...none, "Room 12", "order-7", "12", "11/28/2026"])
    expect(() => date(text)).toThrow("is not a date as ISO 8601 has it");
  for (const text of ["0x10", "0b1", "-0o7", "1,5", "twelve"])
    expect(() => number(text)).toThrow("is not a number");
  expect(["1e3", "-4.5", ".5", " 7 "].map(number)).toEqual([1_000, -4.5, 0.5, 7]);
});
