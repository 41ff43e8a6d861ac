import { type ChildProcess, fork } from "node:child_process";
import { startRedis } from "../../test/support/redis.ts";
import { compiled } from "../compiled.ts";
import { countProcessorTime } from "../processor-time.ts";
import type { ArrivalReport } from "./arrivals.ts";
import { type Figures, figures } from "./figures.ts";

type Report = { ready: true } | { firstAt: number } | { arrived: ArrivalReport };

/** Producer → queue → worker → queue → worker, three processes, on a Redis of its own in `folder`. */
export async function runBullmq(items: number, folder: string): Promise<Figures> {
  const cpu = countProcessorTime();
  const redis = await startRedis({ folder, appendfsync: "everysec" });
  const processes: ChildProcess[] = [];
  try {
    let waiting = 3;
    let firstAt = 0;
    const arrived = await new Promise<ArrivalReport>((resolve, reject) => {
      for (const role of ["sink", "stage", "producer"]) {
        const child = fork(compiled("hop/bullmq-process.mjs"), [role, `${redis.port}`, `${items}`]);
        processes.push(child);
        child.once("exit", (code, signal) =>
          reject(new Error(`bullmq ${role}: ended early (${code ?? signal})`)),
        );
        child.on("message", (message) => {
          const report = message as Report;
          if ("firstAt" in report) firstAt = report.firstAt;
          else if ("arrived" in report) resolve(report.arrived);
          else if (--waiting === 0) for (const each of processes) each.send("go");
        });
      }
    });
    await Promise.all(processes.map(close));
    await redis.stop();
    return figures(items, firstAt, arrived, cpu.stop());
  } finally {
    for (const child of processes) child.kill("SIGKILL");
    await redis.stop();
  }
}

function close(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.once("exit", () => resolve());
    child.send("close");
  });
}
