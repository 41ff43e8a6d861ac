import type { InstanceStart } from "../instance/messages.ts";
import type { Verdict } from "../streams/protocol.ts";
import type { InstanceEnd } from "./instance-process.ts";

/** What is known of an instance's end, as the streams process is to judge what it leaves behind. */
export function verdictOn(
  { instance, stage }: InstanceStart,
  end: InstanceEnd,
  isDraining: boolean,
  isCombine: boolean,
): Verdict {
  const { culprit, what } = end;
  // n.b. one that was stopped, say, dies of nothing that it had in hand: nobody is charged, yet it died.
  const cause = causeOf(end, isDraining);
  // A result is no suspect, and never a dead letter: it is combine's own code that has ended the process.
  if (isCombine) return { instance, stage, charge: false, external: false, what, cause };
  // Of several calls in flight one hangs: all of them are suspects, none is charged until it hangs alone.
  const isUnknown = end.cause === "hung" && culprit === "unknown";
  return {
    instance,
    stage,
    charge: (end.cause === "crashed" && !isDraining) || isUnknown,
    external: isUnknown || what.startsWith("signal SIGKILL"),
    ...(end.cause === "hung" && culprit !== undefined && culprit !== "unknown" ? { culprit } : {}),
    what,
    cause,
  };
}

/** What the repeats of an ended instance's items are counted under. */
function causeOf(end: InstanceEnd, isDraining: boolean): NonNullable<Verdict["cause"]> {
  if (end.cause === "drained") return "drained";
  return end.cause === "killed" || isDraining ? "drain-cut-short" : "instance-died";
}
