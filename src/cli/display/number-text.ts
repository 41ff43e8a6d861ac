import { duration, grouped } from "../terminal.ts";

const UNITS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** A count in at most five characters: 12.3k, 456M. */
export function compact(value: number): string {
  const rounded = Math.round(value);
  for (const [unit, name] of UNITS) {
    if (rounded < unit) continue;
    const part = rounded / unit;
    return `${part < 99.95 ? trim(part.toFixed(1)) : Math.floor(part)}${name}`;
  }
  return String(rounded);
}

/** A rate: one digit behind the point where it is small. */
export function rate(perSecond: number, isCompact: boolean): string {
  if (perSecond < 9.95) return trim(perSecond.toFixed(1));
  return isCompact ? compact(perSecond) : grouped(Math.round(perSecond));
}

/** An estimate: as coarse as it is uncertain. */
export function estimate(ms: number): string {
  if (!Number.isFinite(ms)) return "never";
  if (ms < 1_000) return "<1 s";
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${trim((ms / 3_600_000).toFixed(1))} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** How long something has been going on, to the second: it is repainted all the time. */
export function elapsed(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : duration(Math.floor(ms / 1_000) * 1_000);
}

function trim(text: string): string {
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}
