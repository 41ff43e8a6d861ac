import { components, upstreamOf } from "../definition/graph.ts";
import { hasStream, type PipelineShape } from "../definition/shape.ts";

/** What a scan of a run's streams saw of one of them. */
export interface StreamSight {
  readonly unsettled: number;
  readonly appended: number;
  /** Of a push source: it takes no more items. */
  readonly closed?: boolean;
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
 * appended between them. A push source is done when it has been closed and its stream holds nothing.
 */
export function nodesToComplete({ scans, held, ...progress }: CompletionView): string[] {
  const inputs = new Set(
    progress.shape.nodes.filter((node) => node.input === "push").map(({ name }) => name),
  );
  const isDone = (name: string): boolean =>
    isQuiet(name, scans, inputs.has(name)) && held?.has(name) !== true;
  return unfedComponents(progress)
    .filter((component) => component.every(isDone))
    .flat();
}

/** Groups of nodes - a node, or a cycle's - that nothing can reach any more but what is in their own streams. */
export function unfedComponents({ shape, complete }: Progress): string[][] {
  const iterated = new Set(shape.nodes.filter((node) => !hasStream(node)).map(({ name }) => name));
  return components(shape).filter((component) => {
    const members = new Set(component);
    if (component.some((name) => iterated.has(name) || complete.has(name))) return false;
    return !component.some((name) =>
      [...upstreamOf(shape, name)].some((upstream) => !members.has(upstream) && !complete.has(upstream)),
    );
  });
}

/** Whether a push source may have been closed since it was last looked at: one with a door of its own closes itself. */
export function hasOpenInput({ shape, complete }: Progress, closed: ReadonlySet<string>): boolean {
  return shape.nodes.some(({ name, input }) => input === "push" && !closed.has(name) && !complete.has(name));
}

/**
 * Whether there is a node that may have nothing more to do, so that its stream is worth a look: one that nothing feeds
 * any more. A push source that is not `closed` is fed from outside. With `emptied` - the stage whose stream has just
 * run empty - only what that may have ended counts: streams run empty all the time, and a look asks for all of them.
 * Where all is complete there is the run's end left to see.
 */
export function mayComplete(
  progress: Progress,
  draining: ReadonlySet<string>,
  closed: ReadonlySet<string>,
  emptied?: string,
): boolean {
  const open = new Set(progress.shape.nodes.filter((node) => node.input === "push").map(({ name }) => name));
  for (const name of closed) open.delete(name);
  if (progress.shape.nodes.every(({ name }) => progress.complete.has(name))) return true;
  return unfedComponents(progress).some(
    (component) =>
      (emptied === undefined || component.includes(emptied)) &&
      component.some((name) => !draining.has(name) && !open.has(name)),
  );
}

function isQuiet(name: string, [before, after]: CompletionView["scans"], isInput: boolean): boolean {
  const first = before.get(name);
  const second = after.get(name);
  if (first === undefined || second === undefined) return false;
  // What comes from outside ends when somebody says so.
  if (isInput && !(first.closed === true && second.closed === true)) return false;
  return first.unsettled === 0 && second.unsettled === 0 && first.appended === second.appended;
}
