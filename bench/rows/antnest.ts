import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ourTasks } from "../jobs/noop.ts";
import { type Bench, count, type Row, times } from "../row.ts";

const SLAVES = 2;

export const antnest: Row = {
  name: "antnest",
  what: "tiny tasks/s of a job, whole command",
  peer: `antnest, ${SLAVES} slaves, from submission to result`,
  better: "more",
  floor: 50,
  aim: 200,
  format: times,
  async measure(bench) {
    const missing = whatIsMissing(bench);
    if (missing !== undefined) return { text: `not measured here: ${missing}` };
    const total = bench.quick ? 1_000 : 2_000;
    const { seconds, results } = await runAntnest(bench, total);
    if (results !== total) throw new Error(`antnest: ${results} results of ${total} tasks`);
    const ours = (await ourTasks(bench)).whole;
    const theirs = total / seconds;
    return { value: ours / theirs, text: `${count(ours)}/s to ${count(theirs)}/s` };
  },
};

function whatIsMissing({ antnest: clone }: Bench): string | undefined {
  if (clone === undefined)
    return "it needs a clone of github.com/mtahmed/antnest; name it with --antnest DIR";
  if (!existsSync(join(clone, "master.py"))) return `--antnest ${clone}: there is no master.py`;
  const python = spawnSync("python3", ["-c", "import zmq"], { encoding: "utf8" });
  if (python.error) return "python3 is not on the PATH";
  return python.status === 0 ? undefined : "python3 has no package pyzmq";
}

function runAntnest(
  { repository, antnest: clone }: Bench,
  total: number,
): Promise<{ seconds: number; results: number }> {
  return new Promise((resolve, reject) => {
    const driver = join(repository, "bench/jobs/antnest.py");
    const args = [driver, clone as string, `${total}`, `${SLAVES}`];
    const child = execFile("python3", args, (error, stdout, stderr) => {
      process.off("exit", stop);
      if (error) reject(new Error(`antnest: ${stderr.trim() || error.message}`));
      else resolve(JSON.parse(stdout) as { seconds: number; results: number });
    });
    const stop = () => child.kill("SIGINT");
    process.once("exit", stop);
  });
}
