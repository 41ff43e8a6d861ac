import { RunError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { packValue, unpackValue } from "../wire/packing.ts";
import type { StreamEngine } from "./contract.ts";
import { lanesOf } from "./lanes.ts";

/**
 * Opens the lanes of a stage, and holds it to the partitions that its waiting items were placed by: with others
 * the items of a key would lie in two lanes.
 *
 * @throws RunError MR_RUN_CONFLICT when items wait that were placed by another number of partitions.
 */
export async function openStage(engine: StreamEngine, stage: string, partitions: number): Promise<void> {
  const key = recordKeys.partitions(stage);
  const stored = await engine.records.get(key);
  const before = stored === undefined ? 0 : (unpackValue(stored) as number);
  const lanes = new Set([...lanesOf(stage, before), ...lanesOf(stage, partitions)]);
  for (const stream of lanes) await engine.open(stream);
  if (before === partitions) return;
  let waiting = 0;
  for (const stream of lanes) waiting += engine.stats(stream).unsettled;
  if (waiting > 0) {
    throw new RunError(
      "MR_RUN_CONFLICT",
      `stage ${stage}: ${waiting} items wait that were placed ${described(before)}, and now it is ${described(partitions)}; ` +
        "let the run finish as it was first, or begin another with --new",
    );
  }
  await engine.records.put(key, packValue(partitions));
}

function described(partitions: number): string {
  return partitions === 0 ? "without orderBy" : `with orderBy over ${partitions} partitions`;
}
