/** The names that are most like what was given; none when nothing is like it. At most three. */
export function nearest(given: string, names: readonly string[]): string[] {
  const allowed = Math.max(2, Math.floor(given.length / 4));
  const ranked = names
    .map((name) => ({ name, distance: name.includes(given) ? 1 : distance(given, name) }))
    .filter((each) => each.distance <= allowed)
    .sort((a, b) => a.distance - b.distance);
  return ranked
    .filter((each) => each.distance <= (ranked[0]?.distance ?? 0) + 1)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** How many characters have to be put in, taken out, replaced, or swapped with the next one. */
function distance(a: string, b: string): number {
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min((back[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (back[j - 1] ?? 0) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (twoBack[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    twoBack = back;
    back = row;
  }
  return back[b.length] ?? 0;
}
