import type { ErrorMessage } from "./describe-messages.ts";

/** A module, and what of it is meant. */
export interface EditModule {
  /** Absolute path. */
  readonly path: string;
  /** As the user named it: for messages. */
  readonly shown: string;
  readonly exportName?: string;
}

/** What the edit child is asked first. */
export interface EditOrder {
  /** Its function makes other items; without it the items are only checked. */
  readonly editor?: EditModule;
  /** The pipeline whose schemas the items must fit. */
  readonly pipeline?: EditModule;
  /** Absolute: where bundles are kept. */
  readonly outDirectory: string;
}

/** Records of dead letters of one stage, in base64. */
export interface EditPage {
  readonly stage: string;
  readonly records: readonly string[];
}

/** What the child tells. The mark keeps messages apart that the user's own code may send. */
export type EditMessage = { readonly millrace: "edit" } & (
  | { readonly kind: "ready" /** Of the editor. */; readonly hash?: string }
  /** A frame in base64 for each record; null for one that stays. */
  | { readonly kind: "edited"; readonly frames: readonly (string | null)[] }
  | { readonly kind: "failed"; readonly error: ErrorMessage }
);

export function isEditMessage(message: unknown): message is EditMessage {
  return (
    typeof message === "object" && message !== null && (message as { millrace?: unknown }).millrace === "edit"
  );
}
