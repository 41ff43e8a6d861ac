import type { ErrorCode } from "../errors.ts";

/** What the bundler of `millrace test` says, once. */
export type BundlerMessage =
  | { readonly kind: "bundled"; readonly paths: readonly string[] }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };
