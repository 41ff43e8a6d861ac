// Checks what the linter cannot express: that imports point to a lower floor only, and that time, chance, disk,
// sockets and processes are reached through an Env.
//
//   node scripts/check-floors.mjs [DIRECTORY]    checks DIRECTORY/src (default: this repository)
//   node scripts/check-floors.mjs --table        prints the floors as they stand in ARCHITECTURE.md
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { splitSource } from "./source-text.mjs";

/** The one table of floors. Within a floor, steps go up like floors; what stands in one step are siblings. */
const FLOORS = [
  {
    steps: [["errors.ts"], ["env"], ["async"], ["wire"]],
    holds: "errors; clock, chance, disk, sockets, processes; waiting; items, frames, codec, ids",
  },
  {
    steps: [["definition", "metrics", "records"]],
    holds: "what a pipeline is; counters; the contract of the record store",
  },
  {
    steps: [["streams", "backplane", "certs", "sources"]],
    holds: "streams and their engines; how control messages travel; certificates; ready-made sources",
  },
  {
    steps: [["channels", "addons", "mmop", "bundle", "foreign"]],
    holds:
      "shared values; services on agents; control messages; the user's module, bundled; queues that others own",
  },
  { steps: [["instance"]], holds: "the stage loop: pull, transform, place, settle" },
  {
    steps: [["agent", "coordinator", "jobs"]],
    holds: "supervision; reconciling, completion; scheduling of jobs",
  },
  {
    steps: [["grid", "run", "control"]],
    holds: "a client of a grid; a run on one machine; the REST contract",
  },
  { steps: [["cli", "console", "testing", "index.ts"]], holds: "composition roots" },
];

/** Folders that may use the world directly; everything else takes an Env. */
const WORLDLY = new Set(["env", "cli", "testing"]);
/** Folders that may read arguments and environment, and end the process. */
const PROCESS_OWNERS = new Set(["env", "cli"]);

const WORLDLY_MODULES =
  /^(?:node:)?(?:fs|fs\/promises|net|dgram|tls|child_process|worker_threads|cluster|os|timers|timers\/promises)$/;

const WORLDLY_USES = [
  { pattern: /\bDate\s*\.\s*now\b/g, instead: "env.clock.now() or env.clock.mono()" },
  { pattern: /\bnew\s+Date\s*(?:\(\s*\)|(?![\s\w(]))/g, instead: "new Date(env.clock.now())" },
  { pattern: /\bperformance\s*\.\s*(?:now|timeOrigin)\b/g, instead: "env.clock.mono()" },
  { pattern: /\bprocess\s*\.\s*(?:hrtime|uptime)\b/g, instead: "env.clock.mono()" },
  { pattern: /\bMath\s*\.\s*random\b/g, instead: "env.random.float()" },
  {
    pattern:
      /(?<!\.\s*)\b(?:randomBytes|randomUUID|randomInt)\s*\(|\bcrypto\s*\.\s*(?:random\w+|getRandomValues)\b/g,
    instead: "env.random",
  },
  {
    pattern:
      /(?<!\.\s*)\b(?:setTimeout|setInterval|setImmediate)\b|\bglobalThis\s*\.\s*set(?:Timeout|Interval|Immediate)\b/g,
    instead: "env.timers",
  },
  { pattern: /\bAbortSignal\s*\.\s*timeout\b/g, instead: "env.timers and an AbortController" },
  { pattern: /\bprocess\s*\.\s*kill\b/g, instead: "env.processes" },
];

const PROCESS_USES = /\bprocess\s*\.\s*(?:argv|execArgv|env|exit|exitCode|abort)\b/g;

const ranks = new Map();
for (const [floor, { steps }] of FLOORS.entries()) {
  for (const [step, names] of steps.entries()) for (const name of names) ranks.set(name, { floor, step });
}

/** @returns {{ file: string, line: number, rule: string, message: string }[]} */
function checkTree(root) {
  const src = join(root, "src");
  const found = [];
  for (const path of sourceFiles(src)) {
    const name = relative(src, path).split(sep).join("/");
    const text = readFileSync(path, "utf8");
    const { code, strings } = splitSource(text);
    const report = (offset, rule, message) =>
      found.push({ file: `src/${name}`, line: text.slice(0, offset).split("\n").length, rule, message });
    checkImports(name, importsOf(code, strings), report);
    checkUses(name, code, report);
  }
  return found;
}

function sourceFiles(directory) {
  if (!existsSync(directory)) throw new Error(`${directory}: there is no such folder`);
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Static, dynamic and type-only imports alike: a type that points up is a dependency too. */
function importsOf(code, strings) {
  return strings.filter(({ start }) =>
    /(?:\bfrom|\bimport|\b(?:import|require)\s*\()\s*$/.test(code.slice(Math.max(0, start - 40), start)),
  );
}

function checkImports(name, imports, report) {
  const own = conceptOf(name);
  const from = ranks.get(own);
  if (from === undefined) {
    report(0, "unknown-folder", `src/${own} is on no floor; add it to the table in scripts/check-floors.mjs`);
    return;
  }
  for (const { start, value } of imports) {
    if (!value.startsWith(".")) {
      if (WORLDLY_MODULES.test(value) && !WORLDLY.has(own)) {
        report(start, "environment", `"${value}" outside ${list(WORLDLY)}; take an Env`);
      } else if (/^(?:node:)?process$/.test(value) && !PROCESS_OWNERS.has(own)) {
        report(start, "process", `"${value}" outside ${list(PROCESS_OWNERS)}`);
      }
      continue;
    }
    const target = posix.normalize(posix.join(posix.dirname(name), value));
    if (target === "../package.json") continue;
    if (target.startsWith("..")) {
      report(start, "leaves-src", `"${value}" leads out of src/`);
      continue;
    }
    checkDirection(own, from, conceptOf(target), (rule, message) => report(start, rule, message));
  }
}

function checkDirection(own, from, target, report) {
  if (target === own) return;
  const to = ranks.get(target);
  if (to === undefined) {
    report("unknown-folder", `src/${target} is on no floor; add it to the table in scripts/check-floors.mjs`);
  } else if (to.floor > from.floor || (to.floor === from.floor && to.step > from.step)) {
    report(
      "upward-import",
      `${own} (floor ${from.floor}) imports ${target} (floor ${to.floor}); imports point down`,
    );
  } else if (to.floor === from.floor && to.step === from.step) {
    report(
      "sibling-import",
      `${own} and ${target} are siblings on floor ${to.floor}; siblings do not import each other`,
    );
  }
}

function checkUses(name, code, report) {
  const own = conceptOf(name);
  if (!WORLDLY.has(own)) {
    for (const { pattern, instead } of WORLDLY_USES) {
      for (const match of code.matchAll(pattern)) {
        report(match.index, "environment", `${tidy(match[0])} outside ${list(WORLDLY)}; use ${instead}`);
      }
    }
  }
  if (!PROCESS_OWNERS.has(own)) {
    for (const match of code.matchAll(PROCESS_USES)) {
      report(match.index, "process", `${tidy(match[0])} outside ${list(PROCESS_OWNERS)}`);
    }
  }
}

/** The folder, or the file at the top, that a path under src/ belongs to. */
function conceptOf(path) {
  return path.split("/")[0];
}

function tidy(use) {
  return use
    .replace(/\s+/g, " ")
    .replace(/ ?\. ?/g, ".")
    .replace(/\s*\($/, "");
}

function list(names) {
  return [...names].map((name) => `src/${name}/`).join(", ");
}

function table() {
  const rows = FLOORS.map(({ steps, holds }, floor) => {
    const names = steps.map((step) =>
      step.map((name) => `\`${name.includes(".") ? name : `${name}/`}\``).join(" "),
    );
    return `| ${floor} | ${names.join(" < ")} | ${holds} |`;
  });
  return ["| floor | folders | what they hold |", "| --- | --- | --- |", ...rows].join("\n");
}

if (process.argv[2] === "--table") {
  console.log(table());
} else {
  const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), ".."));
  const found = checkTree(root);
  for (const { file, line, rule, message } of found) console.error(`${file}:${line}: ${rule}: ${message}`);
  if (found.length > 0) console.error(`floors: ${found.length} violations; see ARCHITECTURE.md, "Floors"`);
  process.exit(found.length === 0 ? 0 : 1);
}
