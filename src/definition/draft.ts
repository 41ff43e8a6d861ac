import { DefinitionError, describeValue } from "../errors.ts";
import { checkName } from "./name.ts";
import { NODE, type Port } from "./node.ts";
import { readNodeOptions } from "./node-options.ts";
import { functionLike } from "./option-rules.ts";
import { withOwnOptions } from "./own-options.ts";
import type { PipelineSettings } from "./pipeline-options.ts";
import { isPush } from "./push.ts";
import { group, optional, readOptions } from "./rule.ts";
import type { Definition, EdgeDefinition, NodeDefinition, NodeKind } from "./shape.ts";
import { handlerOf } from "./work.ts";

const EDGE = group({
  when: optional(
    functionLike<NonNullable<EdgeDefinition["when"]>>(),
    "Takes an item when it gives something truthy.",
  ),
});

/** A pipeline while it is being written: grows by nodes and edges, each checked as it comes. */
export class Draft {
  readonly name: string;
  readonly #settings: PipelineSettings;
  readonly #nodes = new Map<string, NodeDefinition>();
  readonly #edges: EdgeDefinition[] = [];

  constructor(name: string, settings: PipelineSettings) {
    this.name = name;
    this.#settings = settings;
  }

  addNode(kind: NodeKind, name: unknown, work: unknown, options: unknown): string {
    checkName(name, `${kind} of pipeline ${this.name}`);
    const subject = `${kind} ${name} of pipeline ${this.name}`;
    const namesake = this.#nodes.get(name);
    if (namesake !== undefined) {
      throw new DefinitionError(
        "MR_DUPLICATE_NAME",
        `${subject}: there is a ${namesake.kind} of that name already; give every node a name of its own`,
      );
    }
    const handler = handlerOf(work, subject);
    const input = isPush(work) ? ({ input: "push" } as const) : {};
    if (kind !== "source" && isPush(work)) {
      const message = `${subject}: push() is a source; write pipeline.source(${JSON.stringify(name)}, push())`;
      throw new DefinitionError("MR_BAD_OPTION", message);
    }
    const read = readNodeOptions(kind, withOwnOptions(work, options), subject);
    if (kind === "source" && !isPush(work) && read.settings.pacing?.capacity !== undefined) {
      const message = `${subject}: capacity is for a source that is made with push(); give it to the stages behind this one`;
      throw new DefinitionError("MR_BAD_OPTION", message);
    }
    this.#nodes.set(name, { name, kind, handler, ...input, ...read });
    return name;
  }

  addEdge(from: string, next: unknown, options: unknown): void {
    const to = this.#targetOf(from, next);
    const subject = `edge ${from} -> ${to} of pipeline ${this.name}`;
    if (this.#edges.some((edge) => edge.from === from && edge.to === to)) {
      const message = `${subject}: it is there already; make it one edge whose "when" covers both cases`;
      throw new DefinitionError("MR_BAD_EDGE", message);
    }
    const { when } = readOptions(EDGE, options, subject);
    this.#edges.push({ from, to, conditional: when !== undefined, ...(when && { when }) });
  }

  /** What has been written so far; later additions do not change it. */
  definition(): Definition {
    return { name: this.name, nodes: new Map(this.#nodes), edges: [...this.#edges], ...this.#settings };
  }

  #targetOf(from: string, next: unknown): string {
    const subject = `${from}.to() of pipeline ${this.name}`;
    if (!isNode(next)) {
      const message = `${subject}: it leads to ${describeValue(next)}; pass a stage or sink of this pipeline`;
      throw new DefinitionError("MR_BAD_EDGE", message);
    }
    const { pipeline } = next[NODE];
    if (pipeline !== this) {
      const message = `${subject}: ${next.name} belongs to another pipeline, ${pipeline.name}; join nodes of one pipeline`;
      throw new DefinitionError("MR_BAD_EDGE", message);
    }
    if (next.kind === "source") {
      const message = `${subject}: ${next.name} is a source, which takes no items; pass a stage or sink`;
      throw new DefinitionError("MR_BAD_EDGE", message);
    }
    return next.name;
  }
}

function isNode(value: unknown): value is { name: string; kind: NodeKind; [NODE]: Port<never> } {
  return typeof value === "object" && value !== null && NODE in value;
}
