import { execFile, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { killTree } from "../support/process-tree.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const program = join(repository, "bin/millrace.js");
const example = join(repository, "examples/word-count/word-count.ts");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-word-count-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("totals are those of coreutils, and the top twenty are printed", { timeout: 60_000 }, async () => {
  // The default: what is installed under the current folder's node_modules.
  const texts = join(folder, "node_modules");
  write(join(texts, "a/README.md"), "The cat's hat: the CAT, the hat.\r\nÜber-naïve café 2nd x_y\n");
  write(join(texts, "a/no-line-end.txt"), "last");
  write(join(texts, "b/first.txt"), "first of another file\n");
  write(join(texts, "b/empty.md"), "");
  write(join(texts, "b/bytes.txt"), Buffer.from([0x61, 0x62, 0xff, 0x63, 0x64, 0xc3, 0x65, 0x0a]));
  write(join(texts, "b/looks-like-letters.md"), "\u212Aelvin \u017Fhort K s\n");
  write(join(texts, "c/deep/er/one-line.txt"), "word".repeat(30_000));
  write(join(texts, "c/many.md"), prose(400_000));
  write(join(texts, "c/code.js"), "not counted");
  symlinkSync(join(texts, "a/README.md"), join(texts, "c/link.md"));
  symlinkSync(join(texts, "a"), join(texts, "c/linked"));

  const { code, printed } = await run([], folder);
  expect(printed).not.toContain("MR_");
  expect(code).toBe(0);
  const expected = countByCoreutils(texts);
  expect(readFileSync(join(folder, "word-count-totals.tsv"), "utf8")).toBe(expected);

  const ranked = expected.split("\n").map((line) => line.split("\t") as [string, string]);
  const lineOf = (rank: number) => {
    const [times, word] = ranked[rank] as [string, string];
    return printed.split("\n").findIndex((line) => line.trimEnd().endsWith(`${times.padStart(8)} ${word}`));
  };
  const lines = Array.from({ length: 20 }, (_, rank) => lineOf(rank));
  expect(lines).not.toContain(-1);
  expect(lines).toEqual([...lines].sort((a, b) => a - b));
  expect(lineOf(20)).toBe(-1);
});

test("kill -9 of every process, then the same command: the totals are the same", {
  timeout: 120_000,
}, async () => {
  const texts = join(folder, "texts");
  for (let file = 0; file < 40; file++)
    write(join(texts, `${file % 7}/${file}.txt`), prose(300_000, file + 1));
  const out = join(folder, "out/totals.tsv");
  const args = ["--param", `folder=${texts}`, "--param", `out=${out}`, "--data", join(folder, "data")];
  const journals = () => readdirSync(join(folder, "out")).filter((name) => name.endsWith(".journal"));

  const child = spawn(process.execPath, [program, "run", example, ...args], { cwd: folder, stdio: "ignore" });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("exit", (_code, signal) => resolve(signal)),
  );
  const hasCounted = () =>
    existsSync(join(folder, "out")) &&
    journals().some((name) => statSync(join(folder, "out", name)).size > 0);
  while (!hasCounted() && child.exitCode === null) await sleep(2);
  killTree(child.pid as number);
  expect(await ended).toBe("SIGKILL");
  expect(existsSync(out)).toBe(false);
  const atKill = journals();

  const { code, printed } = await run(args, folder);
  expect(printed).not.toContain("MR_");
  expect(code).toBe(0);
  expect(journals()).toEqual(atKill);
  expect(readFileSync(out, "utf8")).toBe(countByCoreutils(texts));
});

function write(path: string, content: string | Buffer): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
}

/** Text of about `length` characters: few words often, many seldom, as in a language; the same for a seed. */
function prose(length: number, seed = 1): string {
  let state = seed;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const words: string[] = [];
  for (let written = 0; written < length; ) {
    const rank = Math.floor(3_000 ** next());
    const word = rank.toString(26).replace(/[0-9]/g, (digit) => "zyxwvutsrq".charAt(Number(digit)));
    words.push(rank % 5 === 0 ? word.toUpperCase() : word, next() < 0.1 ? ".\n" : " ");
    written += word.length + 1;
  }
  return words.join("");
}

function run(args: readonly string[], cwd: string): Promise<{ code: number; printed: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, "run", example, ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, printed: stdout + stderr });
    });
  });
}

/** `COUNT\tWORD` lines, most frequent first, by tr, sort and uniq. The echo parts files that do not end in a line end. */
function countByCoreutils(texts: string): string {
  const script = `find . -type f \\( -name '*.md' -o -name '*.txt' \\) -exec sh -c 'for f; do cat "$f"; echo; done' _ {} + |
    tr -cs 'A-Za-z' '\\n' | tr 'A-Z' 'a-z' | grep . | sort | uniq -c |
    awk '{ print $1 "\\t" $2 }' | sort -k1,1nr -k2,2`;
  const env = { ...process.env, LC_ALL: "C" };
  return execFileSync("bash", ["-o", "pipefail", "-c", script], {
    cwd: texts,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
}
