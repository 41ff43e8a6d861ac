/**
 * Node's flags for the heap of an instance that may have so many bytes in all; the rest is for buffers, code and stacks.
 *
 * Items live for a moment. Collecting them is a matter of a few hundred microseconds that V8 would share out to threads:
 * beside other instances on the same cores it then waits for those threads, several times as long as the work takes. And it
 * would begin with a young generation of 1 MB, which is full a thousand times a second and, since next to nothing survives,
 * never grows.
 */
export function heapFlags(memoryBytes: number): string[] {
  const memoryMb = memoryBytes / (1024 * 1024);
  const heapMb = Math.max(32, Math.floor(memoryMb * 0.6));
  const youngMb = Math.min(32, Math.max(2, Math.floor(memoryMb / 16)));
  return [
    `--max-old-space-size=${heapMb}`,
    `--max-semi-space-size=${youngMb}`,
    `--min-semi-space-size=${Math.min(4, youngMb)}`,
    "--no-parallel-scavenge",
  ];
}
