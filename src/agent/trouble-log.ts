import type { AgentRunEvents } from "./agent-run.ts";

/** Says that a run's broker is away or takes nothing, or, without `what`, that this is over. */
export function logTrouble(
  { onLog }: Pick<AgentRunEvents, "onLog">,
  what: string | undefined,
  forMs: number,
): void {
  const seconds = Math.round(forMs / 1_000);
  if (what === undefined)
    onLog("streams", "info", `the broker is back after ${seconds} s: the run goes on`, undefined);
  else onLog("streams", "warn", `${what}; the run waits for it, and goes on by itself`, undefined);
}
