import type { Airport } from "./airports.ts";

const WIDTH = 960;
const HEIGHT = 560;
/** Degrees that the map shows: the states that touch each other. */
const WEST = -125;
const EAST = -66;
const NORTH = 50;
const SOUTH = 24;
const NAMED = 15;

/** A circle for each airport, as large as its flights are many; the largest with their codes. */
export function mapChart(
  airports: readonly { readonly airport: Airport; readonly flights: number }[],
): string {
  const shown = airports
    .filter(({ airport: { latitude, longitude } }) => {
      return latitude > SOUTH && latitude < NORTH && longitude > WEST && longitude < EAST;
    })
    .sort((a, b) => b.flights - a.flights || (a.airport.code < b.airport.code ? -1 : 1));
  const most = Math.max(1, shown[0]?.flights ?? 0);
  const circles = shown.map(({ airport, flights }) => {
    const radius = 2 + 22 * Math.sqrt(flights / most);
    const title = `<title>${airport.code}: ${flights} flights</title>`;
    return `<circle cx="${x(airport)}" cy="${y(airport)}" r="${radius.toFixed(1)}">${title}</circle>`;
  });
  const names = shown
    .slice(0, NAMED)
    .map(({ airport }) => `<text x="${x(airport)}" y="${y(airport)}">${airport.code}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#f7f7f4"/>
<g fill="#2b6cb0" fill-opacity="0.45" stroke="#2b6cb0">
${circles.join("\n")}
</g>
<g font-size="12" text-anchor="middle" dominant-baseline="central">
${names.join("\n")}
</g>
</svg>
`;
}

function x({ longitude }: Airport): string {
  return (((longitude - WEST) / (EAST - WEST)) * WIDTH).toFixed(1);
}

function y({ latitude }: Airport): string {
  return (((NORTH - latitude) / (NORTH - SOUTH)) * HEIGHT).toFixed(1);
}
