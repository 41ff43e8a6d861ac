import type { DiskFile } from "./env.ts";

const PIECE_BYTES = 256 * 1024;

/** What a file holds, piece by piece to its end; then, or when nobody wants more, it is closed. */
export async function* filePieces(file: DiskFile): AsyncGenerator<Buffer> {
  try {
    for (let at = 0; ; ) {
      const piece = await file.read(at, PIECE_BYTES);
      if (piece.length === 0) return;
      yield piece;
      at += piece.length;
    }
  } finally {
    await file.close();
  }
}
