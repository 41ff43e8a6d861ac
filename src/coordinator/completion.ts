import { components, upstreamOf } from "../definition/graph.ts";
import type { PipelineShape } from "../definition/shape.ts";

/** What a scan of a run's streams saw of one of them. */
export interface StreamSight {
  readonly unsettled: number;
  readonly appended: number;
}

export interface Progress {
  readonly shape: PipelineShape;
  /** Nodes whose instances have drained and exited, or whose source has ended. */
  readonly complete: ReadonlySet<string>;
}

export interface CompletionView extends Progress {
  /** Stages that something is being put on by hand. */
  readonly held?: ReadonlySet<string>;
  /** Two scans of all streams, the later one second. */
  readonly scans: readonly [ReadonlyMap<string, StreamSight>, ReadonlyMap<string, StreamSight>];
}

/**
 * Nodes that have nothing more to do: their instances may be drained for good.
 *
 * A node outside a cycle is done when everything upstream of it is complete - drained, exited, and so recorded -
 * and its stream holds nothing. The nodes of a cycle feed one another: they are done together, when all that
 * leads into the cycle is complete and two scans in a row saw nothing in any of their streams and nothing
 * appended between them.
 */
export function nodesToComplete({ scans, held, ...progress }: CompletionView): string[] {
  return unfedComponents(progress)
    .filter((component) => component.every((name) => isQuiet(name, scans) && held?.has(name) !== true))
    .flat();
}

/** Groups of nodes - a node, or a cycle's - that nothing can reach any more but what is in their own streams. */
export function unfedComponents({ shape, complete }: Progress): string[][] {
  const kinds = new Map(shape.nodes.map((node) => [node.name, node.kind]));
  return components(shape).filter((component) => {
    const members = new Set(component);
    if (component.some((name) => kinds.get(name) === "source" || complete.has(name))) return false;
    return !component.some((name) =>
      [...upstreamOf(shape, name)].some((upstream) => !members.has(upstream) && !complete.has(upstream)),
    );
  });
}

function isQuiet(name: string, [before, after]: CompletionView["scans"]): boolean {
  const first = before.get(name);
  const second = after.get(name);
  if (first === undefined || second === undefined) return false;
  return first.unsettled === 0 && second.unsettled === 0 && first.appended === second.appended;
}
