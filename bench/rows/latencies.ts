/** Times that two processes of one machine can compare, and what a list of them says. */
export const latencies = {
  /** Items that do not count: those with which both sides begin. */
  WARM_UP: 20,
  /** Milliseconds of the system's monotonic clock. */
  now: (): number => Number(process.hrtime.bigint()) / 1e6,
  /** The value that so large a share is not above. */
  quantile(values: readonly number[], share: number): number {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  },
};
