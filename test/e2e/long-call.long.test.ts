import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import { startNats } from "../support/nats.ts";
import { startRabbitmq } from "../support/rabbitmq.ts";
import { startRedis } from "../support/redis.ts";
import type { RunningServer } from "../support/server-process.ts";
import { isMissing } from "../support/server-program.ts";

/** Far longer than a broker waits for a client that says nothing: RabbitMQ's 20 s here, ours of 9 s for the others. */
const BLOCKED_MS = 60_000;
const ITEMS = 400;

const servers: readonly { name: string; isMissing: boolean; start(): Promise<RunningServer> }[] = [
  { name: "RabbitMQ", isMissing: isMissing("rabbitmq-server"), start: () => startRabbitmq() },
  { name: "NATS JetStream", isMissing: isMissing("nats-server"), start: () => startNats() },
  { name: "Redis", isMissing: isMissing("redis-server"), start: () => startRedis() },
];

const BLOCKED = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("blocked");
  p.source("feed", async function* () {
    for (let n = 0; n < ${ITEMS}; n++) {
      yield n;
      await new Promise((resolve) => setTimeout(resolve, ${BLOCKED_MS / ITEMS}));
    }
  }).to(p.stage("work", (n: number) => {
    note(n, "calls");
    if (n !== 20) return n;
    note("begins", "block");
    const until = performance.now() + ${BLOCKED_MS};
    while (performance.now() < until) Math.sqrt(until);
    note("ends", "block");
    return n;
  }, { timeoutMs: "3m", instances: 1 }))
    .to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

/** The local ports of all connections of this machine to a server, as the kernel lists them. */
function connectionsTo(port: number): string[] {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const established = "01";
  return ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap((file) => readFileSync(file, "utf8").split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , to = "", state]) => to.endsWith(remote) && state === established)
    .map(([, from = ""]) => from)
    .sort();
}

// Without one of them it is left out, by skips.json.
test.skipIf(servers.some((server) => server.isMissing))(
  "a call that keeps its process busy for 60 s: connections to RabbitMQ, NATS and Redis stay, and nothing is repeated",
  { timeout: 240_000 },
  async () => {
    // At the same time, since each does nothing but wait.
    const outcomes = await Promise.allSettled(
      servers.map(async ({ name, start }) => {
        const server = await start();
        try {
          await blockedRun(name, server);
        } finally {
          await server.stop();
        }
      }),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  },
);

async function blockedRun(name: string, server: RunningServer): Promise<void> {
  const project = cliProject({ "blocked.ts": BLOCKED });
  const run = project.start("blocked.ts", ["--streams", server.url], { timeoutMs: 220_000 });
  let isOver = false;
  void run.ended.catch(() => undefined).then(() => (isOver = true));
  const until = async (said: string): Promise<void> => {
    while (!isOver && !project.notes("block").includes(said))
      await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await until("begins");
  const before = connectionsTo(server.port);
  await until("ends");
  const after = connectionsTo(server.port);
  const { code, json, stderr } = await run.ended;
  expect(code, `${name}: ${stderr}`).toBe(0);
  expect(before, name).not.toEqual([]);
  expect(after, name).toEqual(before);
  expect(unsettled(json), name).toEqual({});
  expect(json.repeats, name).toEqual({});
  const all = Array.from({ length: ITEMS }, (_, n) => n);
  expect(project.notes("calls"), name).toEqual(all);
  expect(
    project.notes<number>().sort((a, b) => a - b),
    name,
  ).toEqual(all);
  expect(stderr, name).not.toMatch(/away|is back/);
}
