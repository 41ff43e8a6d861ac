import { recordKeys } from "../../records/record-store.ts";
import { NOTHING, type Transaction } from "../contract.ts";
import { handleOf, laneOf, stageOf } from "../lanes.ts";

interface UnreadableFrame {
  readonly stream: string;
  readonly frame: number;
  readonly pending: readonly (readonly [number, number])[];
  readonly items: number;
  readonly problem: string;
  readonly at: number;
  /** What could be read of it. */
  readonly raw: Buffer;
}

/** Settles what is left in a frame that cannot be read, and sets aside what there is of it. */
export function quarantineOf(unreadable: UnreadableFrame): Transaction {
  const { stream, frame, pending, items, problem, at, raw } = unreadable;
  // n.b. by the stage, as everything that people look for: the number is unique among its lanes.
  const stage = stageOf(stream);
  const number = handleOf(laneOf(stream), frame);
  const head = Buffer.from(`${JSON.stringify({ stream: stage, frame: number, items, problem, at })}\n`);
  return {
    ...NOTHING,
    settlements: pending.map(([from, to]) => ({ stream, frame, from, to, outcome: "quarantined" })),
    records: [{ key: recordKeys.quarantine(stage, number), value: Buffer.concat([head, raw]) }],
  };
}
