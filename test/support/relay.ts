import { expect, vi } from "vitest";
import { type CliProject, cliProject } from "./cli-project.ts";
import type { RunningCli } from "./run-cli.ts";
import { type ProcessKind, processesOf } from "./run-processes.ts";

const KINDS = { source: "feed", sink: "out" };
/** Between two kills so many more have come out. */
const MORE = 300;

/**
 * A pipeline that passes messages on from one foreign queue to another, a millisecond each, until the first is empty.
 * `from` and `to` name the queues.
 */
export function relayProject(url: string, from: object, to: object): CliProject {
  const source = { prefetch: 300, until: "empty", ...from };
  return cliProject({
    "relay.ts": `
      import { fromQueue, pipeline, toQueue } from "millrace";
      const url = ${JSON.stringify(url)};
      const p = pipeline("relay");
      const feed = p.source("feed", fromQueue(url, ${JSON.stringify(source)}), { capacity: { items: 200 } });
      const pass = p.stage("pass", async (item) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return item;
      }, { instances: 1, capacity: { items: 500 } });
      feed.to(pass).to(p.sink("out", toQueue(url, ${JSON.stringify(to)}), { instances: 1 }));
      export default p;
    `,
  });
}

/** Waits until more messages have come out than `count` told at first. */
export async function relayed(count: () => Promise<number>): Promise<void> {
  const before = await count();
  await vi.waitFor(async () => expect(await count()).toBeGreaterThan(before + MORE), {
    timeout: 40_000,
    interval: 20,
  });
}

/** Kills processes of a relay one after another while it works; gives how many were there to be killed. */
export async function killOverAndOver(
  running: RunningCli,
  victims: readonly ProcessKind[],
  count: () => Promise<number>,
): Promise<number> {
  let killed = 0;
  for (const victim of victims) {
    await relayed(count);
    const found = processesOf(running.pid, KINDS).find(({ kind }) => kind === victim);
    if (found === undefined) continue;
    process.kill(found.pid, "SIGKILL");
    killed++;
  }
  return killed;
}
