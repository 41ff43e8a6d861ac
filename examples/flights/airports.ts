import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";

export interface Airport {
  readonly code: string;
  readonly state: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** Airports by their codes: a few hundred kilobytes, which each instance may well hold. */
export async function readAirports(file: string): Promise<Map<string, Airport>> {
  const rows = parse(await readFile(file), { columns: true }) as Record<string, string>[];
  return new Map(
    rows.map(({ iata = "", state = "", latitude, longitude }) => [
      iata,
      { code: iata, state, latitude: Number(latitude), longitude: Number(longitude) },
    ]),
  );
}

const EARTH_KM = 6_371;

/** Along the great circle. */
export function kilometres(a: Airport, b: Airport): number {
  const [p, q] = [radians(a.latitude), radians(b.latitude)];
  const height = Math.sin((q - p) / 2) ** 2;
  const width = Math.sin(radians(b.longitude - a.longitude) / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.sqrt(height + Math.cos(p) * Math.cos(q) * width));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
