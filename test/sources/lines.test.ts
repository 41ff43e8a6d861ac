import { appendFileSync, chmodSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lines } from "../../src/index.ts";
import { readSource, sourceContext, withShortReads } from "../support/source-bench.ts";
import { tempFolder } from "../support/temp-folder.ts";

const line = fc.string({ unit: "binary", maxLength: 60 }).map((text) => text.replace(/[\n\r\uFEFF]/g, "-"));

test("gives every line, whatever its end and its characters, and from any token on exactly the rest", async () => {
  const { write } = tempFolder();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(line, { maxLength: 20 }), { minLength: 1, maxLength: 3 }),
      fc.record({
        end: fc.constantFrom("\n", "\r\n"),
        hasMark: fc.boolean(),
        isOpen: fc.boolean(),
        isGzip: fc.boolean(),
        step: fc.integer({ min: 1, max: 20 }),
        read: fc.integer({ min: 1, max: 64 }),
      }),
      async (contents, { end, hasMark, isOpen, isGzip, read, step }) => {
        const files = contents.map((content, i) => {
          // A last line without an end is there only when it has a character.
          const text =
            content.join(end) + (content.length > 0 && (!isOpen || content.at(-1) === "") ? end : "");
          const bytes = Buffer.from((hasMark ? "\uFEFF" : "") + text);
          return write(`f${i}.txt${isGzip ? ".gz" : ""}`, isGzip ? gzipSync(bytes) : bytes);
        });
        const env = withShortReads(read);
        const { items, tokens, error } = await readSource(lines(files), { env });
        expect(error).toBeUndefined();
        expect(items).toEqual(contents.flat());
        const groups = await readSource(lines(files, { group: step }), { env });
        expect(groups.items.flat()).toEqual(items);
        expect(groups.items.every((group) => group.length > 0 && group.length <= step)).toBe(true);
        const mid = groups.tokens[Math.floor(groups.tokens.length / 2)];
        const behind = await readSource(lines(files, { group: step }), { env, resume: mid?.token });
        expect(behind.items).toEqual(groups.items.slice(mid?.covers ?? 0));
        for (const { token, covers } of tokens.filter((_, i) => i % step === 0)) {
          const rest = await readSource(lines(files), { env, resume: token });
          expect(rest.error).toBeUndefined();
          expect(rest.items).toEqual(items.slice(covers));
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("many lines come in few batches, with how far the source is; latin1 when it is said", async () => {
  const { write } = tempFolder();
  const texts = Array.from({ length: 100_000 }, (_, i) => `line ${i}`);
  const path = write("many.txt", `${texts.join("\n")}\n`);
  const size = Buffer.byteLength(`${texts.join("\n")}\n`);

  const { items, batches, progress } = await readSource(lines(path));
  expect(items).toEqual(texts);
  expect(batches.length).toBeLessThan(40);
  expect(progress.at(-1)).toEqual([size, size]);
  expect(progress.length).toBeLessThan(batches.length);

  write("latin.txt", Buffer.from([0xe4, 0xf6, 0x0a]));
  expect(
    (await readSource(lines(pathToFileURL(write("l.txt", Buffer.from([0xe4, 10]))), { encoding: "latin1" })))
      .items,
  ).toEqual(["ä"]);
});

test("patterns give their files by name; a file whose name looks like one is itself; empty ones give nothing", async () => {
  const { folder, path, write } = tempFolder({
    "b/2.txt": "b2\n",
    "a/1.txt": "a1",
    "a/deep/er/3.txt": "a3\n",
    "a/.hidden/4.txt": "hidden\n",
    "a/x[1].txt": "brackets\n",
    "a/none.txt": "",
    "a/other.log": "log\n",
  });
  symlinkSync(path("a"), path("a/deep/loop"));
  const read = async (spec: string | string[]) => {
    const { items, error } = await readSource(lines(spec));
    return error?.message ?? items;
  };
  expect(await read(`${folder}/**/*.txt`)).toEqual(["a1", "a3", "brackets", "b2"]);
  expect(await read(`${folder}/{b,a}/?.txt`)).toEqual(["a1", "b2"]);
  expect(await read(`${folder}/a/[!1-9]*.{log,txt}`)).toEqual(["log", "brackets"]);
  expect(await read([`${folder}/b/2.txt`, `${folder}/a/1.txt`, `${folder}/*/2.txt`])).toEqual(["b2", "a1"]);
  expect(await read(`${folder}/a/x[1].txt`)).toEqual(["brackets"]);
  write("a/x1.txt", "one\n");
  expect(await read(`${folder}/a/x[1].txt`)).toEqual(["brackets"]);
  expect(await read(`${folder}/a/none.txt`)).toEqual([]);
  expect(await read(`${folder}/*.csv`)).toMatch(/\*\.csv: no file matches \(looked for .+\); .*allowEmpty/);
  expect((await readSource(lines(`${folder}/*.csv`, { allowEmpty: true }))).error).toBeUndefined();
  const byParams = lines((params: { file: string }) => params.file);
  expect((await readSource(byParams, { params: { file: `${folder}/b/2.txt` } })).items).toEqual(["b2"]);
});

test("what cannot be read is told with file and reason, after all that came before it", async () => {
  const { folder, path, write } = tempFolder({
    "good.txt": "good\n",
    "utf16.txt": Buffer.from("\uFEFFx\n", "utf16le"),
  });
  write("long.txt", `short\n${"x".repeat(3_000)}\n`);
  write("endless.txt", `short\n${"x".repeat(300_000)}`);
  write("not.gz", "not compressed\n");
  const whole = gzipSync("line\n".repeat(50_000));
  write("torn.gz", whole.subarray(0, whole.length - 20));
  const failure = async (name: string, options = {}) => {
    const { error, items } = await readSource(lines([path("good.txt"), path(name)], options));
    expect(error?.message.startsWith(path(name))).toBe(true);
    return { code: error?.code, message: error?.message.slice(path(name).length), items: items.slice(0, 2) };
  };
  expect(await failure("missing.txt")).toEqual({
    code: "MR_INPUT_NOT_FOUND",
    message: expect.stringContaining(`: there is no such file (looked for ${path("missing.txt")})`),
    items: [],
  });
  expect(await failure("utf16.txt")).toMatchObject({ code: "MR_INPUT_UNREADABLE", items: ["good"] });
  expect(await failure("long.txt", { maxLine: "1KB" })).toMatchObject({
    code: "MR_INPUT_UNREADABLE",
    message: expect.stringMatching(/^:2: the line is longer than 1024 bytes; raise maxLine/),
  });
  expect(await failure("endless.txt", { maxLine: "100KB" })).toMatchObject({
    message: expect.stringMatching(/^:2: the line is longer/),
    items: ["good", "short"],
  });
  expect(await failure("not.gz")).toMatchObject({
    message: expect.stringContaining("incorrect header check"),
  });
  expect(await failure("torn.gz")).toMatchObject({
    message: expect.stringContaining("unexpected end of file"),
  });
  expect((await readSource(lines(folder))).error?.message).toMatch(/it is a directory; name the files in it/);
  if (process.getuid?.() !== 0) {
    chmodSync(path("good.txt"), 0o000);
    expect((await readSource(lines(path("good.txt")))).error?.message).toMatch(/it cannot be read: EACCES/);
  }
});

test("a file that was changed before the token, or is gone, is named; what lies behind it may change", async () => {
  const { path, write } = tempFolder();
  const text = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `this is line ${from + i}\n`).join("");
  const first = write("1.txt", text(0, 20_000));
  const second = write("2.txt", text(0, 10));
  const spec = path("*.txt");
  const { tokens } = await readSource(lines(spec));
  const inFirst = tokens[1]!;
  const behindFirst = tokens.find(({ covers }) => covers === 20_000 && tokens.indexOf(inFirst) > 0)!;
  const resume = (token: unknown) => readSource(lines(spec), { resume: token });

  appendFileSync(first, "appended\n");
  expect((await resume(inFirst.token)).items).toHaveLength(20_011 - inFirst.covers);
  writeFileSync(first, text(0, 20_000).replace("line 3\n", "line x\n"));
  expect((await resume(inFirst.token)).error).toMatchObject({
    code: "MR_INPUT_CHANGED",
    message: expect.stringMatching(/1\.txt: bytes 0 to 1024 are not what this run has read/),
  });
  writeFileSync(first, text(0, 10));
  expect((await resume(inFirst.token)).error?.message).toMatch(/1\.txt: .* not what|1\.txt: it is shorter/);
  rmSync(first);
  expect((await resume(inFirst.token)).error?.message).toMatch(/1\.txt: it is gone, and \d+ bytes/);

  // A file that was read to its end may be tidied away; new ones before it are told.
  const last = tokens.filter(({ covers }) => covers === 20_000).at(-1)!;
  expect(behindFirst).toBeDefined();
  expect((await resume(last.token)).items).toHaveLength(10);
  renameSync(second, path("0.txt"));
  write("3.txt", "three\n");
  const late = await resume(last.token);
  expect(late.items).toEqual(["three"]);
  expect(late.warnings.join()).toMatch(/files have been added or removed/);
});

test("in a generator of the user's it gives its items and sets its tokens behind them", async () => {
  const { write } = tempFolder();
  const path = write("f.txt", "a\nb\n");
  const { ctx, checkpoints } = sourceContext();
  const seen: unknown[] = [];
  for await (const item of await lines(path)(ctx)) seen.push([item, checkpoints.length]);
  expect(seen).toEqual([
    ["a", 0],
    ["b", 0],
  ]);
  expect(checkpoints).toHaveLength(2);
  await expect(lines(path)({} as never)).rejects.toThrow(/without the context of a source/);
});

test("mistakes in the definition are told when it is made", () => {
  expect(() => lines("")).toThrow(/its file must be a path, a pattern/);
  expect(() => lines([])).toThrow(/an empty list/);
  expect(() => lines(new URL("http://example.org/x"))).toThrow(/whose protocol is not file:/);
  expect(() => lines("x", { maxLine: "much" as never })).toThrow(/maxLine must be bytes or a text/);
  expect(() => lines("x", { allowempty: true } as never)).toThrow(/there is no option allowempty/);
});
