/** How many bytes these have together. */
export function bytesOf(buffers: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { byteLength } of buffers) bytes += byteLength;
  return bytes;
}
