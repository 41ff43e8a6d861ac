import type { ByteChunks } from "./byte-chunks.ts";
import { type FileToken, hashOf } from "./file-token.ts";
import { changed } from "./input-error.ts";

/**
 * Compares what a token knows of a file with the file, and gives the content behind the token.
 *
 * @throws StageError MR_INPUT_CHANGED.
 */
export async function* contentBehind(
  chunks: ByteChunks,
  token: FileToken,
): AsyncGenerator<Buffer, void, undefined> {
  // What the checks are about, the earliest first; the last ends where reading goes on.
  for (const { at, length, hash } of token.checks) {
    const found: Buffer[] = [];
    let missing = length;
    for await (const chunk of chunks.from(at)) {
      found.push(chunk.subarray(0, missing));
      missing -= Math.min(missing, chunk.length);
      if (missing === 0) break;
    }
    if (missing > 0)
      throw changed(token.path, `it is shorter than it was when ${token.at} bytes of it had been read`);
    if (hashOf(Buffer.concat(found)) !== hash) {
      throw changed(
        token.path,
        `bytes ${at} to ${at + length} are not what this run has read there (it had come to line ${token.line})`,
      );
    }
  }
  yield* chunks.from(token.at);
}
