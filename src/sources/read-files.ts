import type { Context } from "../definition/context.ts";
import type { SourceBatch } from "../definition/source-batch.ts";
import type { Env } from "../env/env.ts";
import { ByteChunks } from "./byte-chunks.ts";
import { type Check, type FileToken, hashOf, headCheck, tailCheck } from "./file-token.ts";
import { changed, unreadable } from "./input-error.ts";
import { type InputFile, inputFiles } from "./input-files.ts";
import { type LineSettings, lineBlocks } from "./line-blocks.ts";
import { placeBehind } from "./place-behind.ts";
import { Progress } from "./progress.ts";
import type { RowReader } from "./row-reader.ts";
import { contentBehind } from "./verify-token.ts";

export interface FileReading<T> {
  readonly env: Env;
  readonly ctx: Context;
  /** Paths and patterns. */
  readonly names: readonly string[];
  readonly allowEmpty: boolean;
  readonly lines: Omit<LineSettings, "path">;
  /** The format; `state` is that of an earlier reader of the same file. */
  readerOf(path: string, state: unknown): RowReader<T>;
}

/**
 * Reads files one after the other, each in blocks of whole lines, and goes on where the last durable token is.
 *
 * F1 A token covers all items before it and none behind it.
 * F2 What lies before a token is compared with what was read; what lies behind may have been changed.
 */
export async function* readFiles<T>(
  reading: FileReading<T>,
): AsyncGenerator<SourceBatch<T>, void, undefined> {
  const { env, ctx } = reading;
  const files = await inputFiles(env.disk, reading.names, reading.allowEmpty);
  const token = ctx.resume as FileToken | undefined;
  const start = token === undefined ? 0 : placeOf(token, files, ctx);
  let chain = chainOf(files.slice(0, start));
  let doneBytes = files.slice(0, start).reduce((sum, { size }) => sum + size, 0);
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  const progress = new Progress(env, totalBytes, (done, total) => ctx.progress(done, total));
  for (let done = start; done < files.length; done++) {
    const file = files[done] as InputFile;
    const goesOn = token !== undefined && !token.ended && token.path === file.path;
    const place = { path: file.path, done, chain };
    yield* readFile(reading, place, goesOn ? token : undefined, (bytes) => progress.at(doneBytes + bytes));
    chain = hashOf(`${chain}\0${file.path}`);
    doneBytes += file.size;
    progress.at(doneBytes);
  }
}

type Place = Pick<FileToken, "path" | "done" | "chain">;

async function* readFile<T>(
  { env, readerOf, lines }: FileReading<T>,
  place: Place,
  token: FileToken | undefined,
  onRead: (bytes: number) => void,
): AsyncGenerator<SourceBatch<T>, void, undefined> {
  const { path } = place;
  const reader = readerOf(path, token?.format);
  let chunks: ByteChunks | undefined;
  try {
    const file = await env.disk.open(path, "read");
    chunks = new ByteChunks(file, path);
    const content = token === undefined ? chunks.from(0) : contentBehind(chunks, token);
    let head: Check | undefined = token?.checks[0];
    let last = { at: token?.at ?? 0, line: token?.line ?? 1, checks: token?.checks ?? [] };
    const tokenOf = (ended: boolean): FileToken => ({ ...place, ...last, format: reader.state, ended });
    for await (const block of lineBlocks(content, last, { path, ...lines })) {
      const { items, upTo, error } = reader.read(block);
      if (upTo !== undefined && upTo > 0) {
        head ??= headCheck(block, upTo);
        const tail = tailCheck(block, upTo);
        const checks = head === undefined ? [tail] : [head, tail];
        last = { at: tail.at + tail.length, line: block.firstLine + upTo, checks };
        yield { items, token: tokenOf(false) };
      } else if (items.length > 0) yield { items, token: undefined };
      if (error !== undefined) throw error;
      onRead(chunks.readBytes);
    }
    const { items, error } = reader.end();
    if (error !== undefined) {
      yield { items, token: undefined };
      throw error;
    }
    yield { items, token: tokenOf(true) };
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await chunks?.close();
  }
}

/** Which file is next. Throws StageError MR_INPUT_CHANGED when the one in hand is gone. */
function placeOf(token: FileToken, files: readonly InputFile[], ctx: Context): number {
  const { path, ended, done, chain } = token;
  const known = files.findIndex((file) => file.path === path);
  if (known < 0 && !ended) throw changed(path, `it is gone, and ${token.at} bytes of it had been read`);
  const behind = placeBehind(files, path, done);
  const before = known < 0 ? behind : known;
  if (chainOf(files.slice(0, before)) !== chain) {
    ctx.log.warn(
      { before: path, knownThen: done, knownNow: before },
      "files have been added or removed among those that were read already: what is new there is not read by this run",
    );
  }
  return ended ? behind : before;
}

function chainOf(files: readonly InputFile[]): string {
  return files.reduce((chain, { path }) => hashOf(`${chain}\0${path}`), "");
}
