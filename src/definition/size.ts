/** An amount of memory or disk: bytes, or a number with a unit, `"64KB"`, `"512MB"`, `"4GB"`, in steps of 1024. */
export type Size = number | `${number}${keyof typeof UNITS}`;

const UNITS = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;

const PATTERN = /^(\d+(?:\.\d+)?) ?(B|KB|MB|GB|TB)$/;

/** Bytes of a {@link Size}, whole; undefined when it is not one. Upper and lower case are the same. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string") return undefined;
  const [, amount, unit] = PATTERN.exec(value.toUpperCase()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const bytes = Math.round(Number(amount) * UNITS[unit as keyof typeof UNITS]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
