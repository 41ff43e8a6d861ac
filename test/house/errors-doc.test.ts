import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ERROR_CODES } from "../../src/errors.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const codes = Object.keys(ERROR_CODES).sort();
const sections = sectionsOf(readFileSync(join(repository, "docs/reference/errors.md"), "utf8"));

/** Codes that are in the catalogue before anything throws them. Keep it empty. */
const NOT_YET_THROWN: readonly string[] = [];

test("every code has one section in docs/reference/errors.md, and every section is a code", () => {
  expect(sections.map(({ code }) => code).sort()).toEqual(codes);
});

test.each(sections.map(({ code, text }) => [code, text]))(
  "%s says what it means, what to do, and an example",
  (_code, text) => {
    const [meaning = "", rest = ""] = text.split("**What to do:**");
    const [remedy = "", example = ""] = rest.split("**Example:**");
    expect(meaning.trim()).toMatch(/^[\s\S]{20,}\.$/);
    expect(remedy.trim()).toMatch(/^[\s\S]{10,}\.$/);
    expect(example.trim()).toMatch(/^[\s\S]{10,}\.$/);
  },
);

test("every code is thrown somewhere, and the source uses no code that is not in the catalogue", () => {
  const used = new Set(sourceTexts().flatMap((text) => text.match(/(?<=["'`])MR_[A-Z_]+(?=["'`])/g) ?? []));

  expect(codes.filter((code) => !used.has(code))).toEqual([...NOT_YET_THROWN].sort());
  expect([...used].filter((code) => !codes.includes(code))).toEqual([]);
});

function sectionsOf(page: string): { code: string; text: string }[] {
  return page.split(/^(?=##)/m).flatMap((part) => {
    const [, code, text] = part.match(/^### (MR_\w+)\n([\s\S]*)$/) ?? [];
    return code === undefined || text === undefined ? [] : [{ code, text }];
  });
}

function sourceTexts(): string[] {
  const src = join(repository, "src");
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && path !== "errors.ts")
    .map((path) => readFileSync(join(src, path), "utf8"));
}
