import type { Context } from "../definition/context.ts";
import type { SourceBatch } from "../definition/source-batch.ts";
import type { Env } from "../env/env.ts";
import type { FoundFile } from "./files.ts";
import { inputFiles } from "./input-files.ts";
import { placeBehind } from "./place-behind.ts";

const BATCH = 256;

interface ListToken {
  /** How many have been given, and the last of them. */
  readonly given: number;
  readonly last: string;
}

/** Gives files in batches; goes on behind the last that was given, however many have come or gone since. */
export async function* listFiles(
  env: Env,
  ctx: Context,
  names: readonly string[],
  allowEmpty: boolean,
): AsyncGenerator<SourceBatch<FoundFile>, void, undefined> {
  const token = ctx.resume as ListToken | undefined;
  const found = await inputFiles(env.disk, names, allowEmpty || token !== undefined);
  let given = 0;
  if (token !== undefined) {
    given = placeBehind(found, token.last, token.given);
  }
  while (given < found.length) {
    const batch = found.slice(given, given + BATCH);
    const items = batch.map(({ path, size, modifiedMs }) => ({ path, size, modifiedAt: modifiedMs }));
    given += batch.length;
    ctx.progress(given, found.length);
    const last = items.at(-1)?.path ?? "";
    yield { items, token: { given, last } satisfies ListToken };
  }
}
