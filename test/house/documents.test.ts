import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const pages = [
  ...readdirSync(repository).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(repository, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

describe.each(pages)("%s", (page) => {
  const text = readFileSync(join(repository, page), "utf8");

  test("names only files that exist", () => {
    const named = [...text.matchAll(/`((?:src|test|docs|bench|examples|scripts|bin|\.ci)\/[\w./-]+)`/g)];
    const missing = named
      .map((match) => match[1] ?? "")
      .filter((path) => !existsSync(join(repository, path)));

    expect(missing).toEqual([]);
  });

  test("links only to files that exist", () => {
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)].map((match) => match[1] ?? "");
    const missing = links.filter((link) => !existsSync(join(repository, dirname(page), link)));

    expect(missing).toEqual([]);
  });

  test("names only commands that npm has", () => {
    const named = [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map((match) => match[1] ?? "");

    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

test("the program in README.md is the one in examples/, which is compiled by npm run check", () => {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const [, program = "", path = ""] =
    readme.match(/```ts\n([\s\S]*?)```\n\n\(`(examples\/[\w./-]+)`\)/) ?? [];

  expect(program.trim()).not.toBe("");
  expect(readFileSync(join(repository, path), "utf8").trim()).toBe(program.trim());
});
