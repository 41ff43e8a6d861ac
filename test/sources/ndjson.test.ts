import { expect, test } from "vitest";
import { files, ndjson } from "../../src/index.ts";
import { readSource } from "../support/source-bench.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("every line that is not blank is a document; a bad one ends the source, is skipped, or stands for itself", async () => {
  const { path } = tempFolder({
    "a.ndjson": '{"n":1}\r\n\r\n  \n[2]\nnull\n"text"\n',
    "b.ndjson": `{"n":1}\n{"n":\n${"oops\n".repeat(20)}{"n":2}\n`,
  });
  expect((await readSource(ndjson(path("a.ndjson")))).items).toEqual([{ n: 1 }, [2], null, "text"]);

  const ended = await readSource(ndjson(path("b.ndjson")));
  expect(ended.items).toEqual([{ n: 1 }]);
  expect(ended.error).toMatchObject({
    code: "MR_BAD_ROW",
    message: expect.stringMatching(
      /b\.ndjson:2: it is not JSON \(.+\), in "\{\\"n\\":"; correct it and resume, or pass/,
    ),
  });
  const skipped = await readSource(ndjson(path("b.ndjson"), { onBadRow: "skip" }));
  expect(skipped.items).toEqual([{ n: 1 }, { n: 2 }]);
  expect(skipped.warnings).toHaveLength(11);
  expect(skipped.warnings.at(-1)).toMatch(/b\.ndjson: 21 bad rows were left out/);
  type Line = { n: number } | { bad: number };
  const kept = await readSource(ndjson<Line>(path("b.ndjson"), { onBadRow: ({ line }) => ({ bad: line }) }));
  expect(kept.items.slice(0, 3)).toEqual([{ n: 1 }, { bad: 2 }, { bad: 3 }]);
});

test("files are given with size and time, and from a token on those behind it, whatever has come or gone", async () => {
  const { folder, path, write } = tempFolder({ "b.txt": "12345", "a.txt": "", "c/d.txt": "x" });
  const { items, tokens, progress } = await readSource(files(`${folder}/**/*.txt`));
  expect(items.map(({ path }) => path)).toEqual([path("a.txt"), path("b.txt"), path("c/d.txt")]);
  expect(items[1]).toEqual({ path: path("b.txt"), size: 5, modifiedAt: expect.any(Number) });
  expect(progress.at(-1)).toEqual([3, 3]);

  write("e.txt", "new");
  const rest = await readSource(files(`${folder}/**/*.txt`), { resume: tokens[0]?.token });
  expect(rest.items.map(({ path }) => path)).toEqual([path("e.txt")]);
  expect((await readSource(files(`${folder}/*.csv`))).error).toMatchObject({ code: "MR_INPUT_NOT_FOUND" });
});
