import type { JobDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { filePieces } from "../env/file-pieces.ts";
import { describeValue, UsageError } from "../errors.ts";
import { decodeStandalone } from "../wire/item-codec.ts";
import { linesIn, linesOf } from "../wire/lines.ts";
import type { JobInput } from "./messages.ts";
import type { SourceContext } from "./source-context.ts";

/** What a job's split, or the default one, makes of the input: something to iterate over. */
export async function splitInput(
  env: Env,
  name: string,
  job: JobDefinition,
  input: JobInput | undefined,
  context: SourceContext,
): Promise<unknown> {
  const given = input ?? { as: "given", value: job.input };
  if (job.split === undefined) return await tasksOf(env, name, given);
  const split = job.split as (input: unknown, context: SourceContext) => unknown;
  return await split(await inputOf(env, name, given, job.inputAs === "lines"), context);
}

async function inputOf(env: Env, name: string, input: JobInput, asLines: boolean): Promise<unknown> {
  if (input.as === "text") {
    if (asLines) return linesIn(piecesOf(env, input.path));
    return new TextDecoder().decode(await env.disk.readFile(input.path));
  }
  const value = await givenValue(env, input);
  if (!asLines) return value;
  return asAsync(typeof value === "string" ? linesOf(value) : iterable(name, value));
}

async function tasksOf(env: Env, name: string, input: JobInput): Promise<unknown> {
  if (input.as === "text") return linesIn(piecesOf(env, input.path));
  const value = await givenValue(env, input);
  return typeof value === "string" ? linesOf(value) : iterable(name, value);
}

async function givenValue(env: Env, input: Exclude<JobInput, { as: "text" }>): Promise<unknown> {
  if (input.as === "given") return input.value;
  if (input.as === "values") return valuesIn(piecesOf(env, input.path));
  return decodeStandalone(await env.disk.readFile(input.path));
}

function iterable(name: string, value: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  if (
    typeof value === "object" &&
    value !== null &&
    (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
    return value as Iterable<unknown>;
  throw new UsageError(
    "MR_USAGE",
    value === undefined
      ? `job ${name}: it has no input; give one with --input, or as input of run() or job()`
      : `job ${name}: its input is ${describeValue(value)}, and tasks are made of a text's lines or of an iterable's elements; give such an input, or a split`,
    { scope: "run" },
  );
}

async function* asAsync(elements: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<unknown> {
  yield* elements;
}

async function* piecesOf(env: Env, path: string): AsyncGenerator<Buffer> {
  yield* filePieces(await env.disk.open(path, "read"));
}

/** Values that were written one after the other, each behind its length. */
async function* valuesIn(pieces: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (rest.length - at >= 4) {
      const end = at + 4 + rest.readUInt32LE(at);
      if (end > rest.length) break;
      yield decodeStandalone(rest.subarray(at + 4, end));
      at = end;
    }
    rest = rest.subarray(at);
  }
}
