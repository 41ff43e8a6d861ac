import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type CliProject, cliProject } from "./cli-project.ts";
import type { RunningCli } from "./run-cli.ts";
import { isAlive, type ProcessKind, processesOf } from "./run-processes.ts";

/** What a call of the sink writes down: when it begins, and when it has ended, and how. */
interface Note {
  readonly call: string;
  readonly key: string;
  readonly n: number;
  readonly what: "begin" | "done" | "failed";
}

export interface OrderedSettings {
  readonly keys: number;
  readonly each: number;
  /** Of the stage in the middle and of the sink. */
  readonly options: string;
  /** What the sink does beside: `item.key`, `item.n`. */
  readonly deed?: string;
}

/** A pipeline with two ordered stages, both of which fail now and then, and a record of each call of the second. */
export function orderedProject({ keys, each, options, deed = "" }: OrderedSettings): CliProject {
  return cliProject({
    "ordered.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      type Item = { key: string; n: number };
      let calls = 0;
      const options = { orderBy: ({ key }: Item) => key, retry: { attempts: 500, backoff: { initialMs: 5, factor: 1 } }, ${options} };
      const p = pipeline("ordered");
      const feed = p.source("feed", async function* (ctx): AsyncGenerator<Item> {
        for (let n = Number(ctx.resume ?? 0); n < ${each}; n++) {
          for (let k = 0; k < ${keys}; k++) yield { key: "key-" + k, n };
          ctx.checkpoint(n + 1);
          await sleep(1);
        }
      });
      const middle = p.stage("middle", async (item: Item) => {
        if (Math.random() < 0.03) throw new Error("not now");
        if (Math.random() < 0.2) await sleep(1);
        return item;
      }, { ...options });
      const sink = p.sink("sink", async (item: Item) => {
        const call = process.pid + "/" + ++calls;
        const say = (what: string): void => note({ call, key: item.key, n: item.n, what });
        say("begin");
        ${deed}
        await sleep(2 * Math.random());
        const fails = Math.random() < 0.03;
        say(fails ? "failed" : "done");
        if (fails) throw new Error("not now");
      }, { ...options });
      feed.to(middle).to(sink);
      export default p;
    `,
  });
}

/** What is wrong with the order in which the sink was called; empty when nothing is. */
export function disorderIn(notes: readonly Note[], { keys, each }: OrderedSettings): string[] {
  const problems: string[] = [];
  const byKey = new Map<string, Note[]>();
  for (const note of notes) byKey.set(note.key, [...(byKey.get(note.key) ?? []), note]);
  if (byKey.size !== keys) problems.push(`${byKey.size} keys instead of ${keys}`);
  for (const [key, own] of byKey) {
    const ends = new Set(own.filter(({ what }) => what !== "begin").map(({ call }) => call));
    const done = new Set<number>();
    let running: string | undefined;
    let last = -1;
    for (const { call, n, what } of own) {
      if (what !== "begin") {
        if (what === "done") done.add(n);
        if (running === call) running = undefined;
        continue;
      }
      if (running !== undefined) problems.push(`${key}: call ${call} of ${n} begins while ${running} runs`);
      // What comes again - after a kill, or an attempt that failed - goes on from there in order, too.
      if (n > last + 1) problems.push(`${key}: ${n} follows on ${last}`);
      for (let before = 0; before < n; before++)
        if (!done.has(before)) problems.push(`${key}: ${n} begins before ${before} is done`);
      last = n;
      // A call without an end was in a process that was killed.
      if (ends.has(call)) running = call;
    }
    if (done.size !== each) problems.push(`${key}: ${done.size} of ${each} done`);
  }
  return problems;
}

/** Kills a process of a run, and waits until it is gone; false when there was none, or the run has ended. */
export async function killOne(
  running: RunningCli,
  kind: ProcessKind,
  pick: (count: number) => number,
): Promise<boolean> {
  const victims = processesOf(running.pid, { source: "feed", sink: "sink" }).filter(
    (process) => process.kind === kind,
  );
  const victim = victims[pick(victims.length)];
  if (victim === undefined) return false;
  try {
    process.kill(victim.pid, "SIGKILL");
  } catch {
    return false;
  }
  while (isAlive(victim.pid)) await sleep(1);
  return true;
}

/** What was written down so far; the last line may be on its way. */
export function notesOf(project: CliProject): number {
  const file = project.path("notes.jsonl");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
}

export async function reached(project: CliProject, running: RunningCli, notes: number): Promise<void> {
  await running.until(() => notesOf(project) >= notes);
}
