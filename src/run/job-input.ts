import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import type { PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { describeValue, EncodingError, ensureError, UsageError } from "../errors.ts";
import type { StoredInput } from "../instance/messages.ts";
import { encodeStandalone } from "../wire/item-codec.ts";

/** What a job is run with. */
export type GivenInput =
  | { readonly kind: "value"; readonly value: unknown }
  /** A text file, read where it lies. */
  | { readonly kind: "file"; readonly path: string }
  /** A text that comes once. */
  | { readonly kind: "text"; readonly pieces: AsyncIterable<Uint8Array> };

/** What tells an input from others: a run is resumed only with the one that it was begun with. */
export type InputIdentity =
  | { readonly kind: "file"; readonly path: string; readonly size: number; readonly modifiedMs: number }
  | { readonly kind: "value" | "values" | "text"; readonly sha256: string; readonly size: number };

/** An input that is ready to be given to a run. */
export interface PreparedInput {
  readonly identity: InputIdentity;
  /** Puts it into the run's directory, if it is not there already. */
  place(directory: string): Promise<void>;
  /** Removes what has not been placed. */
  discard(): Promise<void>;
}

const WRITE_BYTES = 1024 * 1024;

/**
 * Makes an input ready: a file is looked at, everything else written down beside the runs, so that a restart can
 * read it again.
 *
 * @throws UsageError MR_INPUT_NOT_FOUND, MR_INPUT_UNREADABLE, EncodingError MR_NOT_ENCODABLE, and whatever the input itself throws.
 */
async function prepareInput(env: Env, data: string, given: GivenInput): Promise<PreparedInput> {
  if (given.kind === "file") return await inputFile(env, given.path);
  if (given.kind === "text") return await spool(env, data, "text", given.pieces);
  const { value } = given;
  if (isLazy(value)) return await spool(env, data, "values", encodedElements(value));
  return await spool(env, data, "value", [encoded(value, "the input of the job")]);
}

/** For a run that was given none. @throws UsageError MR_USAGE when the job cannot do without. */
export function checkInput({ name, needsInput }: PipelineShape): void {
  if (needsInput === true)
    throw new UsageError(
      "MR_USAGE",
      `job ${name}: it has no input; give one with --input FILE, or as input of run() or job()`,
    );
}

/** {@link prepareInput} where one was given. @throws UsageError MR_USAGE when it is no job that is run. */
export async function readInput(
  env: Env,
  data: string,
  { kind, name }: PipelineShape,
  given: GivenInput | undefined,
): Promise<PreparedInput | undefined> {
  if (given === undefined) return undefined;
  if (kind === "job") return await prepareInput(env, data, given);
  throw new UsageError("MR_USAGE", `pipeline ${name}: it takes no input; only a job does`);
}

/** Where a run finds its input. */
export function storedInput(identity: InputIdentity, directory: string): StoredInput {
  if (identity.kind === "file") return { as: "text", path: identity.path };
  return { as: identity.kind, path: resolve(join(directory, "input")) };
}

async function inputFile(env: Env, given: string): Promise<PreparedInput> {
  const path = resolve(given);
  const problem = (
    what: string,
    code: "MR_INPUT_NOT_FOUND" | "MR_INPUT_UNREADABLE" = "MR_INPUT_UNREADABLE",
    cause?: unknown,
  ): UsageError =>
    new UsageError(code, `--input ${given}: ${what}; name a text file, or - for stdin`, { cause });
  let info: Awaited<ReturnType<Env["disk"]["info"]>>;
  try {
    info = await env.disk.info(path);
    if (info !== undefined && !info.isDirectory) await (await env.disk.open(path, "read")).close();
  } catch (error) {
    throw problem(`it cannot be read (${ensureError(error).message})`, "MR_INPUT_UNREADABLE", error);
  }
  if (info === undefined) throw problem("there is no such file", "MR_INPUT_NOT_FOUND");
  if (info.isDirectory) throw problem("it is a directory");
  const { size, modifiedMs } = info;
  return {
    identity: { kind: "file", path, size, modifiedMs },
    place: async () => undefined,
    discard: async () => undefined,
  };
}

async function spool(
  env: Env,
  data: string,
  kind: StoredInput["as"],
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<PreparedInput> {
  const path = join(data, `input-${env.random.bytes(6).toString("hex")}.tmp`);
  const hash = createHash("sha256");
  let size = 0;
  const file = await env.disk.open(path, "create");
  try {
    let waiting: Uint8Array[] = [];
    let bytes = 0;
    const write = async (): Promise<void> => {
      await file.writev(waiting, size);
      size += bytes;
      waiting = [];
      bytes = 0;
    };
    for await (const piece of pieces) {
      hash.update(piece);
      waiting.push(piece);
      bytes += piece.byteLength;
      if (bytes >= WRITE_BYTES) await write();
    }
    if (bytes > 0) await write();
    await file.datasync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await env.disk.remove(path);
    throw error;
  }
  return {
    identity: { kind, sha256: hash.digest("hex"), size },
    place: async (directory) => {
      const target = join(directory, "input");
      if ((await env.disk.info(target)) !== undefined) return;
      await env.disk.rename(path, target);
      await env.disk.syncDirectory(directory);
    },
    discard: () => env.disk.remove(path),
  };
}

/** Whether a value gives its elements one by one, rather than being a list of them. */
function isLazy(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof value !== "object" || value === null) return false;
  if (Symbol.asyncIterator in value) return true;
  const isPlain =
    Array.isArray(value) || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value);
  return Symbol.iterator in value && !isPlain;
}

async function* encodedElements(
  elements: Iterable<unknown> | AsyncIterable<unknown>,
): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const element of elements) {
    const bytes = encoded(element, `element ${index++} of the job's input`);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(bytes.length);
    yield length;
    yield bytes;
  }
}

function encoded(value: unknown, what: string): Buffer {
  try {
    return encodeStandalone(value);
  } catch (error) {
    throw new EncodingError(
      "MR_NOT_ENCODABLE",
      `${what}, ${describeValue(value)}: ${ensureError(error).message}`,
      { cause: error },
    );
  }
}
