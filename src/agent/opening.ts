import { stagesAhead } from "../definition/capacities.ts";
import { pacingByStage } from "../definition/pacing.ts";
import { hasStream, type PipelineShape, partitionsByStage } from "../definition/shape.ts";
import type { OpenAsk } from "../streams/protocol.ts";
import type { InstanceSlot } from "./instance-slot.ts";

/**
 * What a run's streams process is to open, with the instances that are at work while it starts; the first one of this
 * life of the run, or one that comes after another.
 */
export function openingOf(shape: PipelineShape, slots: Iterable<InstanceSlot>, isFirst: boolean): OpenAsk {
  const partitions = partitionsByStage(shape);
  const former: Record<string, string[]> = Object.create(null);
  for (const { stage, instance } of slots) {
    if (instance !== undefined && partitions[stage] !== undefined)
      former[stage] = [...(former[stage] ?? []), instance];
  }
  const streams = shape.nodes.filter(hasStream).map((node) => node.name);
  const inputs = shape.nodes.filter((node) => node.input === "push").map((node) => node.name);
  // A task that failed its job, or was about to, may have been mended since.
  const tasks = shape.nodes.filter((node) => isFirst && node.part === "process").map((node) => node.name);
  const pacing = pacingByStage(shape);
  return { streams, inputs, pacing, partitions, former, ahead: stagesAhead(shape), forgiving: tasks };
}
