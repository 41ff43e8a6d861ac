import { pipeline } from "millrace";
import { type SimulationResult, simulate } from "millrace/testing";
import { z } from "zod";
import { type Equal, expectType } from "./equal.ts";

const p = pipeline("typed", { params: z.object({ region: z.string() }) });

expectType<Equal<ReturnType<typeof simulate>, Promise<SimulationResult>>>();

export async function simulations(): Promise<void> {
  const { received, stages, dead } = await simulate(p, {
    feed: [1, 2],
    params: { region: "eu" },
    until: "5m",
    faults: { redeliver: 0.5, killAt: { a: 3, b: [(n: number) => n === 1, { item: 2, after: true }] } },
  });
  expectType<Equal<typeof received, Readonly<Record<string, readonly unknown[]>>>>();
  stages.a?.accepted.toFixed();
  dead[0]?.attempts[0]?.error.message.trim();
  // @ts-expect-error region is text
  await simulate(p, { params: { region: 1 } });
  // @ts-expect-error a duration has a unit
  await simulate(p, { until: "5 minutes" });
  // @ts-expect-error it is no pipeline
  await simulate({ feed: [1] });
}
