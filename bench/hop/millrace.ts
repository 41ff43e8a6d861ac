import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { countProcessorTime } from "../processor-time.ts";
import type { ArrivalReport } from "./arrivals.ts";
import { type Figures, figures } from "./figures.ts";

/**
 * `millrace run bench/hop/pipeline.ts` as a user would type it, its data under `folder`; with `broker` its streams lie
 * there, and the processor time of that server is not in the figures.
 */
export async function runMillrace(
  items: number,
  folder: string,
  repository: string,
  broker?: { readonly url: string; readonly pid: number },
): Promise<Figures> {
  const out = join(folder, "out");
  mkdirSync(out);
  const cpu = countProcessorTime(broker?.pid);
  const printed = await output(repository, [
    "run",
    join(repository, "bench/hop/pipeline.ts"),
    ...["--param", `items=${items}`, "--param", `out=${out}`, "--data", join(folder, "data"), "--json"],
    ...(broker === undefined ? [] : ["--streams", broker.url]),
  ]);
  const processorTime = cpu.stop();
  const result = JSON.parse(printed) as { status: string; stages: Record<string, { completed: number }> };
  if (result.status !== "completed" || result.stages.sink?.completed !== items) {
    throw new Error(`millrace: the run did not complete ${items} items; it says ${printed}`);
  }
  const { firstAt } = JSON.parse(readFileSync(join(out, "source.json"), "utf8")) as { firstAt: number };
  const arrived = JSON.parse(readFileSync(join(out, "sink.json"), "utf8")) as ArrivalReport;
  return figures(items, firstAt, arrived, processorTime);
}

function output(repository: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(repository, "bin/millrace.js"), ...args], {
      cwd: repository,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stop = () => child.kill("SIGTERM");
    process.once("exit", stop);
    let printed = "";
    let complaints = "";
    child.stdout.on("data", (chunk) => (printed += chunk));
    child.stderr.on("data", (chunk) => (complaints = (complaints + chunk).slice(-4_000)));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", stop);
      if (code === 0) resolve(printed);
      else reject(new Error(`millrace run: ended with ${code ?? signal}; its last words:\n${complaints}`));
    });
  });
}
