import { execFile, spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../row.ts";

export type BroadwayRun = "processors" | "batcher" | "cpu";

/** Why Broadway cannot be measured; undefined where it can. */
export function whatBroadwayMisses({ broadway: folder }: Bench): string | undefined {
  if (folder === undefined)
    return "it needs Elixir and a compiled Broadway; name its folder with --broadway DIR (see bench/README.md)";
  if (!codePaths(folder).some((path) => readdirSync(path).includes("Elixir.Broadway.beam")))
    return `--broadway ${folder}: no folder \`ebin\` in it has Elixir.Broadway.beam`;
  return spawnSync("elixir", ["--version"]).error && "elixir is not on the PATH";
}

/** Items a second through one of the pipelines of `broadway/pipeline.exs`, from the first one made to the last. */
export async function broadwayRate(bench: Bench, run: BroadwayRun, items: number): Promise<number> {
  const paths = codePaths(bench.broadway as string).flatMap((path) => ["-pa", path]);
  const script = join(bench.repository, "bench/broadway/pipeline.exs");
  const printed = await new Promise<string>((resolve, reject) => {
    const child = execFile("elixir", [...paths, script, run, `${items}`], (error, stdout, stderr) => {
      process.off("exit", stop);
      if (error) reject(new Error(`broadway: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
    const stop = () => child.kill("SIGKILL");
    process.once("exit", stop);
  });
  const { seconds } = JSON.parse(printed) as { seconds: number };
  return items / seconds;
}

/** Every folder of compiled modules under this one. */
function codePaths(folder: string): string[] {
  const found: string[] = [];
  const look = (at: string, levels: number): void => {
    for (const name of readdirSync(at)) {
      const path = join(at, name);
      if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) continue;
      if (name === "ebin") found.push(path);
      else if (levels > 0) look(path, levels - 1);
    }
  };
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) look(folder, 4);
  return found;
}
