import { type Handle, pipeline, type RunResult, run, type start } from "millrace";
import { z } from "zod";
import { type Equal, expectType } from "./equal.ts";

const p = pipeline("typed", { params: z.object({ region: z.string(), limit: z.number().optional() }) });
const q = pipeline("without");

expectType<Equal<ReturnType<typeof run>, Promise<RunResult>>>();
expectType<Equal<ReturnType<typeof start>, Promise<Handle>>>();

export async function runs(): Promise<void> {
  await run(p, { params: { region: "eu" } });
  await run<typeof p>(new URL("./typed.ts", import.meta.url), { params: { region: "eu", limit: 3 } });
  await run(q);
  await run(new URL("./typed.ts", import.meta.url), {
    params: { anything: 1 },
    instances: { stage: 2 },
    resume: "new",
  });
  // @ts-expect-error region is text
  await run(p, { params: { region: 1 } });
  // @ts-expect-error the schema has no such param
  await run(p, { params: { region: "eu", colour: "red" } });
  // @ts-expect-error instances are numbers
  await run(q, { instances: { stage: "two" } });
}
