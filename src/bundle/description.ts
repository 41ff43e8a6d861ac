import type { PipelineShape } from "../definition/shape.ts";

/** What the describe child learned of a module; it crosses processes as JSON. */
export interface Description {
  readonly shape: PipelineShape;
  /** Which export of the module it is; `default` for the default export. */
  readonly exportName: string;
  readonly bundle: {
    /** Absolute. */
    readonly path: string;
    /** SHA-256 of its content, hexadecimal: the file's name. */
    readonly hash: string;
  };
  /** Absolute path of the user's module. */
  readonly module: string;
  /** What the pipeline's schema made of the params, safe for JSON; an empty object when it takes none. */
  readonly params: unknown;
}
