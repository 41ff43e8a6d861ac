import type { AgentRunEvents } from "../agent/agent-run.ts";
import type { BrokerAccess } from "../agent/broker-access.ts";
import type { StreamsProcess } from "../agent/streams-process.ts";
import type { Env } from "../env/env.ts";
import { ensureError, MillraceError } from "../errors.ts";
import type { Streams } from "./streams-url.ts";

/** How a run reaches its broker, and what may be said of it; undefined without one. Throws UsageError. */
export async function runBroker(
  env: Env,
  streams: Streams,
): Promise<(BrokerAccess & { readonly address: string }) | undefined> {
  if (streams.kind === "file" || streams.kind === "memory") return undefined;
  // n.b. who has no broker needs no cryptography.
  const { readClientTls } = await import("../certs/tls-files.ts");
  return { ...streams, options: { ...(await readClientTls(env)) } };
}

/** Whether a run has not even begun, since its broker did not let it. */
export function isRefusedByBroker(error: unknown): boolean {
  return error instanceof MillraceError && (/^MR_ENGINE_/.test(error.code) || error.code === "MR_BAD_OPTION");
}

/** A broker that does not come back must not keep a run that is done from ending. The streams process gives up earlier. */
const RETIRE_MS = 45_000;

/** Has a completed run's queues removed from the broker; says where they are still there. */
export async function retireQueues(
  env: Env,
  streams: StreamsProcess,
  { run, address, onLog }: { run: string; address: string; onLog: AgentRunEvents["onLog"] },
): Promise<void> {
  const late = new AbortController();
  try {
    await Promise.race([
      streams.request("retire", {}),
      env.timers.sleep(RETIRE_MS, late.signal).then(() => {
        throw new Error(`no answer within ${RETIRE_MS / 1_000} s`);
      }),
    ]);
  } catch (error) {
    const why = ensureError(error).message;
    const what = `the queues of run ${run} are left at ${address} (${why}); remove those with its name by hand`;
    onLog("streams", "warn", what, undefined);
  } finally {
    late.abort();
  }
}
