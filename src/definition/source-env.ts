import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";

/** Under it a source's context holds the world: clock, timers and disk, for the ready-made sources alone. */
export const SOURCE_ENV: unique symbol = Symbol.for("millrace.source-env") as never;

/**
 * The world that a source's context carries.
 *
 * @throws UsageError MR_USAGE when it is no context of a source.
 */
export function sourceEnv(ctx: object, subject: string): Env {
  const env = (ctx as { readonly [SOURCE_ENV]?: Env })[SOURCE_ENV];
  if (env !== undefined) return env;
  throw new UsageError(
    "MR_USAGE",
    `${subject}: it was called without the context of a source; pass it to p.source(), or hand on the ctx of your own source`,
  );
}
