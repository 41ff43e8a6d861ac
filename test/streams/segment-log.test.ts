import { describe, expect, test } from "vitest";
import { type Outing, outing } from "./power-cuts.ts";

async function outings(count: number, trouble: Parameters<typeof outing>[1], firstSeed = 1): Promise<Outing[]> {
  const all: Outing[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const one = await outing(seed, trouble);
    if (one.problem !== undefined && trouble.sync) throw new Error(one.problem);
    all.push(one);
  }
  return all;
}

const sum = (all: readonly Outing[], of: (one: Outing) => number): number => all.reduce((n, one) => n + of(one), 0);

describe("a power cut", () => {
  test("loses nothing that was confirmed, leaves nothing by half, keeps the order", async () => {
    const all = await outings(Number(process.env.SEEDS ?? 60), { sync: true, lives: 4, fillsUp: false }, Number(process.env.SEED ?? 1));

    // A run that never got there shows nothing.
    expect(sum(all, (one) => one.confirmed)).toBeGreaterThan(1_000);
    expect(sum(all, (one) => one.cuts)).toBeGreaterThan(180);
    expect(Math.max(...all.map((one) => one.segmentsSeen))).toBeGreaterThan(10);
  });
});
