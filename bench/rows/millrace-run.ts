import { spawn } from "node:child_process";
import { join } from "node:path";
import type { RunResult } from "../../src/definition/run-result.ts";

/** `millrace run MODULE --json` as a user would type it; its result. Throws when it does not complete. */
export function millraceRun(
  repository: string,
  module: string,
  params: Readonly<Record<string, string | number>>,
  data: string,
  more: readonly string[] = [],
): Promise<RunResult> {
  const given = Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        join(repository, "bin/millrace.js"),
        "run",
        join(repository, module),
        ...given,
        ...more,
        "--data",
        data,
        "--json",
      ],
      { cwd: repository, stdio: ["ignore", "pipe", "pipe"] },
    );
    const stop = () => child.kill("SIGTERM");
    process.once("exit", stop);
    let printed = "";
    let complaints = "";
    child.stdout.on("data", (chunk) => (printed += chunk));
    child.stderr.on("data", (chunk) => (complaints = (complaints + chunk).slice(-4_000)));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", stop);
      if (code === 0) resolve(JSON.parse(printed) as RunResult);
      else reject(new Error(`millrace run ${module}: ended with ${code ?? signal}:\n${complaints}`));
    });
  });
}
