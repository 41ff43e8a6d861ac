import { nodesToComplete, type Progress, type StreamSight } from "./completion.ts";
import type { Holds } from "./holds.ts";

/**
 * Nodes that two scans in a row found with nothing more to do; undefined when something was put on a stream by hand
 * meanwhile, so that it has to be looked again.
 */
export async function quietNodes(
  { shape, complete: now }: Progress,
  holds: Holds,
  scan: () => Promise<ReadonlyMap<string, StreamSight>>,
): Promise<string[] | undefined> {
  // n.b. as it is before the scans: of a node that completes meanwhile they may not have seen the last items.
  const complete = new Set(now);
  const { changes, held } = holds;
  const first = await scan();
  let quiet = nodesToComplete({ shape, complete, held, scans: [first, first] });
  if (quiet.length > 0) quiet = nodesToComplete({ shape, complete, held, scans: [first, await scan()] });
  return holds.changes === changes ? quiet : undefined;
}
