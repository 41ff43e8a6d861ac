import type { StreamSight } from "./completion.ts";

interface SeenStreams {
  readonly streams: readonly ({ readonly name: string } & StreamSight)[];
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What completion is decided from, by stream. */
export function sightOf({ streams }: Pick<SeenStreams, "streams">): Map<string, StreamSight> {
  return new Map(streams.map(({ name, ...sight }) => [name, sight]));
}

/** Adds the push sources that take no more items: one with a door of its own closes itself. */
export function noteClosed({ streams }: Pick<SeenStreams, "streams">, closedSources: Set<string>): void {
  for (const { name, closed } of streams) if (closed === true) closedSources.add(name);
}

const SETTLED = ["completed", "filtered", "dead", "discarded", "quarantined", "retried", "checkpoints"];

/** How much a stage has got done: it grows with every settlement. */
export function settledOf(stats: SeenStreams | undefined, stage: string): number {
  const counts = stats?.counts[stage] ?? {};
  return SETTLED.reduce((sum, counter) => sum + (counts[counter] ?? 0), 0);
}
