/** Pure questions about who feeds whom. None of them recurses, so depth is no limit. */

/** The part of a shape that these questions need. Edges lead between nodes that exist. */
export interface Graph {
  readonly nodes: ReadonlyArray<{ readonly name: string }>;
  readonly edges: ReadonlyArray<{ readonly from: string; readonly to: string }>;
}

/**
 * The strongly connected components in topological order, upstream first: a cycle is one component of several
 * names (or of one that feeds itself), everything else stands alone. Names of a component are in the order of
 * the definition.
 */
export function components(graph: Graph): string[][] {
  const order = new Map(graph.nodes.map(({ name }, index) => [name, index]));
  return new Tarjan(neighbours(graph, "from", "to"))
    .run()
    .map((names) => names.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)));
}

/** Every node whose items can reach `name`, at any distance; `name` itself when it is part of a cycle. */
export function upstreamOf(graph: Graph, name: string): Set<string> {
  return reachable(neighbours(graph, "to", "from"), name);
}

/** Every node that items of `name` can reach, at any distance; `name` itself when it is part of a cycle. */
export function downstreamOf(graph: Graph, name: string): Set<string> {
  return reachable(neighbours(graph, "from", "to"), name);
}

type Neighbours = ReadonlyMap<string, readonly string[]>;

function neighbours(graph: Graph, side: "from" | "to", other: "from" | "to"): Neighbours {
  const map = new Map<string, string[]>(graph.nodes.map(({ name }) => [name, []]));
  for (const edge of graph.edges) map.get(edge[side])?.push(edge[other]);
  return map;
}

function reachable(next: Neighbours, start: string): Set<string> {
  const found = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const neighbour of next.get(name) ?? []) {
      if (found.has(neighbour)) continue;
      found.add(neighbour);
      open.push(neighbour);
    }
  }
  return found;
}

interface Visit {
  readonly name: string;
  readonly index: number;
  /** The earliest visit still open that can be reached from here. */
  low: number;
  open: boolean;
  /** How many of its neighbours have been looked at. */
  seen: number;
}

/** Tarjan's algorithm with a stack of its own: a chain of a hundred thousand stages must not overflow the call stack. */
class Tarjan {
  readonly #next: Neighbours;
  readonly #visits = new Map<string, Visit>();
  readonly #open: Visit[] = [];
  readonly #found: string[][] = [];

  constructor(next: Neighbours) {
    this.#next = next;
  }

  run(): string[][] {
    // Components are found downstream first. Starting from the last node keeps unrelated ones in the order of
    // the definition once the result is reversed.
    for (const name of [...this.#next.keys()].reverse()) {
      if (!this.#visits.has(name)) this.#walk(name);
    }
    return this.#found.reverse();
  }

  #walk(root: string): void {
    const path = [this.#enter(root)];
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const neighbour = this.#next.get(visit.name)?.[visit.seen++];
      if (neighbour === undefined) {
        path.pop();
        this.#leave(visit, path.at(-1));
        continue;
      }
      const known = this.#visits.get(neighbour);
      if (known === undefined) path.push(this.#enter(neighbour));
      else if (known.open) visit.low = Math.min(visit.low, known.index);
    }
  }

  #enter(name: string): Visit {
    const index = this.#visits.size;
    const visit = { name, index, low: index, open: true, seen: 0 };
    this.#visits.set(name, visit);
    this.#open.push(visit);
    return visit;
  }

  #leave(visit: Visit, parent: Visit | undefined): void {
    if (parent !== undefined) parent.low = Math.min(parent.low, visit.low);
    if (visit.low !== visit.index) return;
    const members = this.#open.splice(this.#open.lastIndexOf(visit));
    for (const member of members) member.open = false;
    this.#found.push(members.map(({ name }) => name));
  }
}
