import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { commandLine, descendants } from "../test/support/process-tree.ts";

/** Processor time of a process, in seconds; undefined where /proc does not tell. */
interface Usage {
  readonly label: string;
  readonly seconds: number;
}

export interface ProcessorTime {
  /** Of all processes that were started and ended in between, seconds; undefined where it cannot be known. */
  readonly seconds: number | undefined;
  /** As last seen of each process, by what it is; short-lived ones may be missing. */
  readonly byProcess: ReadonlyMap<string, number>;
}

const TICKS_PER_SECOND = 100;

/**
 * Counts the processor time of every process that this one starts, directly or not, until `stop`, by which
 * time all must have ended. The kernel adds a process's time to its parent's when the parent collects it, so
 * the sum is exact to a tick; what nobody collected (a parent that died first) is known from the samples.
 * `except`: a process that goes on, such as a server, which does not count, nor does what it starts.
 */
export function countProcessorTime(except?: number): { stop(): ProcessorTime } {
  const before = collected();
  const seen = new Map<number, Usage>();
  const sample = () => {
    const others = new Set(except === undefined ? [] : treeOf(except));
    for (const pid of descendants(process.pid)) {
      if (others.has(pid)) continue;
      const usage = usageOf(pid, seen.get(pid)?.label);
      if (usage) seen.set(pid, usage);
    }
  };
  const timer = setInterval(sample, 100).unref();
  return {
    stop() {
      clearInterval(timer);
      const after = collected();
      const byProcess = new Map<string, number>();
      let sampled = 0;
      for (const { label, seconds } of seen.values()) {
        byProcess.set(label, (byProcess.get(label) ?? 0) + seconds);
        sampled += seconds;
      }
      if (before === undefined || after === undefined) return { seconds: undefined, byProcess };
      return { seconds: Math.max(after - before, sampled), byProcess };
    },
  };
}

/**
 * Processor time of a process that lives and of all that it has started, seconds; undefined where it cannot be known.
 */
export function processorTimeOf(pid: number): number | undefined {
  let ticks = 0;
  for (const each of treeOf(pid)) {
    const fields = statFields(each);
    // n.b. times 13 and 14 are those of its children that have ended: a rewrite of an append-only file is one.
    for (const time of fields?.slice(11, 15) ?? []) ticks += Number(time);
    if (fields === undefined && each === pid) return undefined;
  }
  return ticks / TICKS_PER_SECOND;
}

const treeOf = (pid: number): number[] => [pid, ...descendants(pid)];

/** Time of the children that this process has collected, theirs included. */
function collected(): number | undefined {
  const fields = statFields(process.pid);
  return fields && (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

function usageOf(pid: number, known: string | undefined): Usage | undefined {
  const fields = statFields(pid);
  if (!fields) return undefined;
  return {
    label: known ?? label(pid),
    seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** The fields of /proc/PID/stat after the program's name, which may hold spaces: state is [0], utime [11]. */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function label(pid: number): string {
  const words = commandLine(pid).split(" ");
  const module = words.findIndex((word) => /\.[cm]?js$/.test(word));
  if (module === -1) return basename(words[0] ?? "");
  const [program = "", argument = ""] = words.slice(module);
  const name = program
    .split("/")
    .slice(-2)
    .join("/")
    .replace(/\.[cm]?js$/, "");
  return /^[a-z][\w-]*$/.test(argument) ? `${name} ${argument}` : name;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
