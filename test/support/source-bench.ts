import type { Context } from "../../src/definition/context.ts";
import { SOURCE_BATCHES, type SourceBatch } from "../../src/definition/source-batch.ts";
import type { Disk, Env } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { ensureError } from "../../src/errors.ts";
import { SourceContext } from "../../src/instance/source-context.ts";
import { decodeStandalone, encodeStandalone } from "../../src/wire/item-codec.ts";

export interface Reading<T> {
  readonly batches: readonly SourceBatch<T>[];
  readonly items: readonly T[];
  /** Tokens as they come back, each with the number of items that it covers. */
  readonly tokens: readonly { readonly token: unknown; readonly covers: number }[];
  readonly progress: readonly (readonly [number, number | undefined])[];
  readonly warnings: readonly string[];
  readonly error: (Error & { code?: string }) | undefined;
}

export interface ReadingOptions {
  readonly env?: Env;
  readonly resume?: unknown;
  readonly params?: unknown;
}

/** The context of a source in a world of its own; `stop` is what a drain does to it. */
export function sourceContext(options: ReadingOptions = {}): {
  readonly ctx: Context<never, undefined>;
  readonly checkpoints: unknown[];
  readonly progress: (readonly [number, number | undefined])[];
  readonly warnings: string[];
  stop(): void;
} {
  const warnings: string[] = [];
  const progress: (readonly [number, number | undefined])[] = [];
  const checkpoints: unknown[] = [];
  const quiet = (): void => undefined;
  const scope = {
    env: options.env ?? nodeEnv,
    pipeline: "p",
    stage: "s",
    run: "r",
    params: options.params,
    log: {
      debug: quiet,
      info: quiet,
      warn: (...said: unknown[]) =>
        void warnings.push(said.map((part) => (typeof part === "string" ? part : "")).join("")),
      error: quiet,
    },
    state: undefined,
    drainListeners: [] as ((reason: "stopped") => void)[],
    drainReason: undefined,
    onProgress: (done: number, total: number | undefined) => void progress.push([done, total]),
  };
  const token = options.resume === undefined ? undefined : encodeStandalone(options.resume);
  const ctx = new SourceContext(scope as never, token, (made) => void checkpoints.push(made));
  const stop = (): void => {
    for (const listener of scope.drainListeners) listener("stopped");
  };
  return { ctx: ctx as never, checkpoints, progress, warnings, stop };
}

/** Reads a ready-made source to its end, as an instance does. */
export async function readSource<T>(
  source: (ctx: never) => Promise<AsyncIterable<T>>,
  options: ReadingOptions = {},
): Promise<Reading<T>> {
  const { ctx, progress, warnings } = sourceContext(options);
  const batches: SourceBatch<T>[] = [];
  const items: T[] = [];
  const tokens: { token: unknown; covers: number }[] = [];
  let error: Error | undefined;
  try {
    const feed = (await source(ctx as never)) as unknown as {
      [SOURCE_BATCHES](): AsyncIterator<SourceBatch<T>>;
    };
    const iterator = feed[SOURCE_BATCHES]();
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) break;
      batches.push(value);
      items.push(...value.items);
      if (value.token !== undefined)
        tokens.push({ token: decodeStandalone(encodeStandalone(value.token)), covers: items.length });
    }
  } catch (thrown) {
    error = ensureError(thrown);
  }
  return { batches, items, tokens, progress, warnings, error };
}

/** A world whose disk gives at most so many bytes at once: places to tear lines and characters apart. */
export function withShortReads(bytes: number): Env {
  const disk: Disk = {
    ...nodeEnv.disk,
    async open(path, mode) {
      const file = await nodeEnv.disk.open(path, mode);
      return {
        writev: (buffers, position) => file.writev(buffers, position),
        read: (position, length) => file.read(position, Math.min(length, bytes)),
        datasync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
  return { ...nodeEnv, disk };
}
