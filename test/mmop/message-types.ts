/** Checked by the compiler alone: what a message's body may not be. */
import type { MmopClient } from "../../src/mmop/client.ts";
import type { BodyOf, ReplyOf } from "../../src/mmop/messages.ts";

// @ts-expect-error a run is text
export const wrongType: BodyOf<"agent.stop-run"> = { run: 7 };
// @ts-expect-error no such role
export const wrongChoice: BodyOf<"agent.start-instance"> = { run: "r", stage: "s", id: "i", role: "boss" };
// @ts-expect-error a failure says why
export const wrongOutcome: ReplyOf<"agent.start-instance"> = { outcome: "failure", id: "i-1", pid: 1 };
// @ts-expect-error the code is missing
export const missingField: ReplyOf<"coord.stop-agent"> = { outcome: "failure", message: "no" };
export const withoutOptional: BodyOf<"coord.status"> = {};

export async function wrongCalls(client: MmopClient): Promise<number | undefined> {
  // @ts-expect-error what begins with coord. goes to the coordinator
  await client.request("coord.ping", "a1", {});
  // @ts-expect-error an event is published, not requested
  await client.request("hb", "a1", {});
  const { runs } = await client.request("coord.status", "coordinator", {});
  return runs[0]?.stages[0]?.counts.dead satisfies number | undefined;
}
