import { readdirSync, readFileSync } from "node:fs";
import { commandLine, descendants } from "./process-tree.ts";

/** What a process is to a run. */
export type ProcessKind = "source" | "stage" | "sink" | "suspect" | "streams" | "describe";

export interface RunProcess {
  readonly pid: number;
  readonly kind: ProcessKind;
  /** Of an instance: its stage and its name. */
  readonly stage: string;
  readonly instance: string;
}

/** Which stages of the pipeline under test are sources and sinks; all others are in the middle. */
export interface StageKinds {
  readonly source: string;
  readonly sink: string;
}

/** The processes that a run's command has under it, by what they are. Linux only. */
export function processesOf(cli: number, kinds: StageKinds): RunProcess[] {
  return descendants(cli).flatMap((pid): RunProcess[] => {
    const line = commandLine(pid);
    if (line.includes("/streams/main.js")) return [{ pid, kind: "streams", stage: "", instance: "" }];
    if (line.includes("/describe-child.js")) return [{ pid, kind: "describe", stage: "", instance: "" }];
    const match = /\/instance\/main\.js (\S+) (\S+)/.exec(line);
    if (match === null) return [];
    const [, stage = "", instance = ""] = match;
    return [{ pid, stage, instance, kind: kindOf(stage, instance, kinds) }];
  });
}

function kindOf(stage: string, instance: string, kinds: StageKinds): ProcessKind {
  if (instance.includes(".suspect-")) return "suspect";
  if (stage === kinds.source) return "source";
  return stage === kinds.sink ? "sink" : "stage";
}

/**
 * Every living process whose environment holds `marker`, wherever it hangs in the tree: an orphan is nobody's
 * descendant, but it keeps the environment that it was started with.
 */
export function processesWith(marker: string): { readonly pid: number; readonly command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAlive(pid) && read(pid, "environ").split("\0").includes(marker))
    .map((pid) => ({ pid, command: commandLine(pid) }));
}

/** False for one that has ended, though its parent may not have asked for its exit code yet. */
export function isAlive(pid: number): boolean {
  const stat = read(pid, "stat");
  return stat !== "" && stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
