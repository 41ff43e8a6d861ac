import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { StreamsProcess } from "../../src/agent/streams-process.ts";
import type { Env, Socket } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";

/** A machine so busy that the end of a process is seen long after its connections are gone. */
const LATE_MS = 300;
const busyEnv: Env = {
  ...nodeEnv,
  processes: {
    ...nodeEnv.processes,
    spawn: (options) =>
      nodeEnv.processes.spawn({
        ...options,
        onExit: (exit) => void setTimeout(() => options.onExit(exit), LATE_MS),
      }),
  },
};

async function started(env: Env): Promise<{ streams: StreamsProcess; restarts: number[] }> {
  const folder = mkdtempSync(join(tmpdir(), "mr-"));
  const restarts: number[] = [];
  const streams = new StreamsProcess({
    env,
    engine: { kind: "memory" } as ConstructorParameters<typeof StreamsProcess>[0]["engine"],
    socket: join(folder, "s"),
    secret: "secret",
    open: () => ({ streams: ["work"] }),
    onEvent: () => undefined,
    onRestarted: (_boot, count) => void restarts.push(count),
    onFailed: () => undefined,
    onOutput: () => undefined,
  });
  onTestFinished(async () => {
    await streams.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await streams.start();
  return { streams, restarts };
}

test("one that is killed is started again, also when somebody had a question before its end was seen", async () => {
  const { streams, restarts } = await started(busyEnv);
  const { pid, boot } = streams;
  process.kill(pid as number, "SIGKILL");
  const answer = await streams.request("stats", {});
  expect(answer.streams.map(({ name }) => name)).toEqual(["work"]);
  expect(restarts).toEqual([1]);
  expect(streams.pid).not.toBe(pid);
  expect(streams.boot).not.toBe(boot);
});

test("one that lives on without its connection to us is replaced: nobody could reach it any more", async () => {
  const sockets: Socket[] = [];
  const connect: Env["net"]["connect"] = async (path) => {
    const socket = await nodeEnv.net.connect(path);
    sockets.push(socket);
    return socket;
  };
  const { streams, restarts } = await started({ ...nodeEnv, net: { ...nodeEnv.net, connect } });
  const { pid } = streams;
  sockets[0]?.destroy();
  const answer = await streams.request("stats", {});
  expect(answer.streams.map(({ name }) => name)).toEqual(["work"]);
  expect(restarts).toEqual([1]);
  expect(streams.pid).not.toBe(pid);
});

/** A streams process over memory, the first `deaths` of whose lives are killed while they start. */
function doomed(deaths: number) {
  const folder = mkdtempSync(join(tmpdir(), "mr-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lives: number[] = [];
  const env: Env = {
    ...nodeEnv,
    processes: {
      ...nodeEnv.processes,
      spawn: async (options) => {
        const child = await nodeEnv.processes.spawn(options);
        lives.push(child.pid);
        if (lives.length <= deaths) child.kill("SIGKILL");
        return child;
      },
    },
  };
  const streams = new StreamsProcess({
    env,
    engine: { kind: "memory", directory: folder, durability: "disk" },
    socket: join(folder, "s"),
    secret: "secret",
    open: () => ({ streams: ["work"] }),
    onEvent: () => undefined,
    onRestarted: () => undefined,
    onFailed: () => undefined,
    onOutput: () => undefined,
  });
  return { streams, lives };
}

test("a streams process that is killed while it starts is started again; one that always dies is given up", async () => {
  const lucky = doomed(1);
  await lucky.streams.start();
  const { streams: open } = await lucky.streams.request("stats", {});
  expect(open.map(({ name }) => name)).toEqual(["work"]);
  expect(lucky.lives).toHaveLength(2);
  await lucky.streams.stop();

  const hopeless = doomed(9);
  await expect(hopeless.streams.start()).rejects.toMatchObject({
    code: "MR_STREAM_CLOSED",
    message: expect.stringContaining("it ended while it was starting (SIGKILL)"),
  });
  expect(hopeless.lives).toHaveLength(3);
});
