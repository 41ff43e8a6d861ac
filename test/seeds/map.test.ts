import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/**
 * What the systems that millrace grew from can do, and what they do badly, statement by statement: which tests
 * show that millrace can, and does not; or why it is declined; or which later part of the project owes it.
 *
 * M, W: Monomyth 0.4.2 and its weak points. A, AW: antnest. FA: Faymora. C, CW: cuboid. T, TW: tiq.
 * S, SW: slotz. R: toq and raktr.
 */
interface Entry {
  /** In our own words; for what is owed later, written when it is shown. */
  readonly statement?: string;
  /** "file › name of the test"; beside `declined`: what holds instead. */
  readonly shown?: readonly string[];
  readonly declined?: string;
  readonly owed?: string;
}

const repository = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(new URL("./map.json", import.meta.url), "utf8");
const map = JSON.parse(text) as Record<string, Entry>;

const COUNTS = { M: 64, W: 18, A: 17, AW: 10, FA: 20, C: 37, CW: 7, T: 7, TW: 5, S: 4, SW: 3, R: 1 };
const PARTS = ["one-machine", "engines", "faults", "grid", "jobs", "equalizer", "operate"];

/** What the first version owes: pipelines on one machine. */
const MAIN_JOB = [
  ...numbered("M", [1, 5], [7, 14], [16, 17], [19, 19], [21, 28], [49, 50]),
  ...numbered("W", [1, 5], [7, 7], [10, 10], [14, 14], [16, 16], [18, 18]),
];

function numbered(letter: string, ...ranges: readonly (readonly [number, number])[]): string[] {
  return ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => `${letter}${from + i}`),
  );
}

test("every statement is in the map, once, and nothing else is", () => {
  const known = Object.entries(COUNTS).flatMap(([letter, count]) => numbered(letter, [1, count]));
  // Not of the parsed map: a key that is given twice is there once.
  const given = [...text.matchAll(/^ {2}"([A-Z]+\d+)":/gm)].map((match) => match[1]);

  expect(given).toEqual(known);
  expect(Object.keys(map)).toEqual(known);
});

test("each is shown, declined with a reason, or owed by a part of the project", () => {
  const problems = Object.entries(map).filter(([, { statement, shown, declined, owed }]) => {
    if (owed !== undefined) return !PARTS.includes(owed) || shown !== undefined || declined !== undefined;
    if ((statement ?? "").length < 10) return true;
    return declined === undefined ? shown === undefined || shown.length === 0 : declined.length < 40;
  });

  expect(problems).toEqual([]);
});

test("what the first version owes is shown or declined", () => {
  expect(MAIN_JOB.filter((id) => map[id]?.owed !== undefined)).toEqual([]);
});

test("every test that is named is there", () => {
  const missing = Object.entries(map).flatMap(([id, { shown = [] }]) =>
    shown.filter((reference) => !isThere(reference)).map((reference) => `${id}: ${reference}`),
  );

  expect(missing).toEqual([]);
});

/** Whether the file has a call with that title as its first argument: `test("…`, `test.each(…)("…`, `check("…`. */
function isThere(reference: string): boolean {
  const [file = "", name] = reference.split(" › ");
  const path = join(repository, file);
  if (name === undefined || !/^test\/[\w./-]+\.ts$/.test(file) || !existsSync(path)) return false;
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`\\(\\s*(["'\`])${escaped}\\1,`).test(readFileSync(path, "utf8"));
}
