/** Keeps the processor busy for so many milliseconds of this process's own time. */
export function burn(ms: number): void {
  const end = process.cpuUsage().user + process.cpuUsage().system + ms * 1_000;
  while (process.cpuUsage().user + process.cpuUsage().system < end) {
    for (let i = 0; i < 500; i++) Math.sqrt(i);
  }
}
