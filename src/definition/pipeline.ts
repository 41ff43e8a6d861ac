import { Draft } from "./draft.ts";
import { checkName } from "./name.ts";
import { NODE, type Sink, type Source, type Stage } from "./node.ts";
import type { BatchStageOptions, SourceOptions, StageOptions } from "./node-options.ts";
import type { BatchOutput, BatchReturn, Output, SourceOutput, SourceReturn } from "./output.ts";
import { type NoParams, type PipelineOptions, readPipelineOptions } from "./pipeline-options.ts";
import { DEFINITION, type Definition, type NodeKind } from "./shape.ts";
import type { ItemWork, SourceWork } from "./work.ts";

/** A graph of sources, stages and sinks. Every method throws DefinitionError for a bad name or option. */
export interface Pipeline<Params extends object = NoParams> {
  readonly name: string;

  /**
   * A node without input: a function of `ctx` that returns an iterable or async iterable (generators included).
   * It runs in exactly one instance. When it ends, the pipeline completes by itself.
   */
  source<Returned extends SourceReturn, Setup = undefined>(
    name: string,
    work: SourceWork<Returned, Params, Setup>,
    options?: SourceOptions,
  ): Source<SourceOutput<Returned>>;

  /**
   * A node that takes items in batches: the list it returns is the list of its outputs, in any number;
   * `undefined` is none.
   */
  stage<In, Returned extends BatchReturn, Setup = undefined>(
    name: string,
    work: ItemWork<In[], Returned, Params, Setup>,
    options: BatchStageOptions<NoInfer<In>, Params, NoInfer<Awaited<Setup>>>,
  ): Stage<In, BatchOutput<Returned>>;
  /**
   * A node that takes an item and puts out what it returns: a value (a bare array is one), every element of
   * `many(…)` or of a generator, nothing for `undefined`.
   */
  stage<In, Returned, Setup = undefined>(
    name: string,
    work: ItemWork<In, Returned, Params, Setup>,
    options?: StageOptions<NoInfer<In>, Params, NoInfer<Awaited<Setup>>>,
  ): Stage<In, Output<Returned>>;

  /** A node without output that takes items in batches. */
  sink<In, Setup = undefined>(
    name: string,
    work: ItemWork<In[], unknown, Params, Setup>,
    options: BatchStageOptions<NoInfer<In>, Params, NoInfer<Awaited<Setup>>>,
  ): Sink<In>;
  /** A node without output; what it returns is ignored. */
  sink<In, Setup = undefined>(
    name: string,
    work: ItemWork<In, unknown, Params, Setup>,
    options?: StageOptions<NoInfer<In>, Params, NoInfer<Awaited<Setup>>>,
  ): Sink<In>;

  [DEFINITION](): Definition;
}

/**
 * Starts a pipeline.
 *
 * @param name letters, digits, "-", "_" and "."; at most 64, starting with a letter or digit.
 * @throws DefinitionError MR_BAD_NAME, MR_BAD_OPTION.
 */
export function pipeline<Params extends object = NoParams>(
  name: string,
  options?: PipelineOptions<Params>,
): Pipeline<Params> {
  checkName(name, "pipeline");
  const draft = new Draft(name, readPipelineOptions(options, `pipeline ${name}`));
  const add = (kind: NodeKind) => (node: unknown, work: unknown, given?: unknown) => {
    const added = draft.addNode(kind, node, work, given);
    const handle = { name: added, kind, [NODE]: { pipeline: draft } };
    if (kind === "sink") return handle;
    const to = (next: unknown, edge?: unknown): unknown => {
      draft.addEdge(added, next, edge);
      return next;
    };
    return { ...handle, to };
  };
  const built = {
    name,
    source: add("source"),
    stage: add("stage"),
    sink: add("sink"),
    [DEFINITION]: () => draft.definition(),
  };
  // The draft checks at run time what the overloads promise to the compiler.
  return built as unknown as Pipeline<Params>;
}
