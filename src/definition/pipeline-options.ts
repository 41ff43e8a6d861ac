import { oneOf } from "./option-rules.ts";
import { group, type OptionEntry, optional, optionEntries, readOptions, rule, standard } from "./rule.ts";
import type { Definition, StandardSchema } from "./shape.ts";
import { standardSchema } from "./standard-schema.ts";

/** The params of a pipeline without a schema: none. */
export type NoParams = Readonly<Record<never, never>>;

export interface PipelineOptions<Params extends object = NoParams> {
  /** Any Standard Schema (zod, valibot, arktype …); params are checked before anything starts. */
  readonly params?: StandardSchema<unknown, Params>;
  /** `import.meta.url` of the file that exports the pipeline, so that it can be run without naming the file. */
  readonly module?: string;
  /**
   * `disk`: an item is on stable storage before it is acknowledged; `process`: it is handed to the operating
   * system, which survives the death of every process but not a power cut. Default `disk`.
   */
  readonly durability?: "disk" | "process";
}

const PIPELINE = group({
  params: optional(standardSchema, "The schema of the pipeline's params."),
  module: optional(
    rule("import.meta.url of the file that exports the pipeline", (value) =>
      typeof value === "string" && value.startsWith("file:") ? value : undefined,
    ),
    "The file that exports the pipeline.",
  ),
  durability: standard(oneOf("disk", "process"), "disk", "When an item counts as stored."),
});

/** What the options of a pipeline come to. */
export type PipelineSettings = Pick<Definition, "params" | "module" | "durability">;

/**
 * Reads the options of a pipeline as the user gave them, defaults filled in.
 *
 * @throws DefinitionError MR_BAD_OPTION for an unknown option or a wrong value.
 */
export function readPipelineOptions(options: unknown, subject: string): PipelineSettings {
  const { params, module, durability } = readOptions(PIPELINE, options, subject);
  return { durability, ...(params && { params }), ...(module !== undefined && { module }) };
}

/** Every option of a pipeline, for the documentation. */
export function pipelineOptionEntries(): readonly OptionEntry[] {
  return optionEntries(PIPELINE);
}
