import { readFileSync } from "node:fs";
import { commandLine, descendants } from "../../test/support/process-tree.ts";

/**
 * Watches the processes of a run that this one starts: the command, the streams process, the instances. `stop` gives
 * the largest resident memory that each had, in bytes, by what it is. Linux only: elsewhere nothing is seen.
 */
export function watchPeakMemory(): { stop(): ReadonlyMap<string, number> } {
  const peaks = new Map<number, { label: string; bytes: number }>();
  const look = (): void => {
    for (const pid of descendants(process.pid)) {
      const bytes = highWater(pid);
      const label = peaks.get(pid)?.label ?? labelOf(pid);
      if (bytes !== undefined && label !== undefined) peaks.set(pid, { label, bytes });
    }
  };
  const timer = setInterval(look, 100);
  return {
    stop() {
      clearInterval(timer);
      const largest = new Map<string, number>();
      for (const { label, bytes } of peaks.values())
        largest.set(label, Math.max(bytes, largest.get(label) ?? 0));
      return largest;
    },
  };
}

/** The kernel's own note of a process's peak. */
function highWater(pid: number): number | undefined {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return peak === undefined ? undefined : Number(peak) * 1_024;
  } catch {
    return undefined;
  }
}

/** `run`, `streams` or the name of an instance's stage; the child that reads the module, and what bundles it, have none. */
function labelOf(pid: number): string | undefined {
  const words = commandLine(pid).split(" ");
  const module = words.findIndex((word) => /\.[cm]?js$/.test(word));
  const program = words[module] ?? "";
  if (program.includes("instance/main")) return words[module + 1];
  if (program.includes("streams/main")) return "streams";
  return program.includes("bin/millrace") ? "run" : undefined;
}
