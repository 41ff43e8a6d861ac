import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChildProcess } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { bundled } from "../support/bundled.ts";
import { SECRET, StreamClient, until } from "../support/stream-bench.ts";

let program: { path: string; remove(): void };
let folder: string;

beforeAll(async () => {
  program = await bundled('await import("./streams/main.ts");');
  folder = mkdtempSync(join(tmpdir(), "mr-"));
});

afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Life {
  readonly child: ChildProcess;
  readonly socket: string;
  /** Resolves with how the process ended. */
  readonly ended: Promise<string>;
}

async function startStreams(name: string): Promise<Life> {
  const socket = join(folder, `${name}.s`);
  let ready: (message: unknown) => void = () => undefined;
  const answer = new Promise<unknown>((resolve) => {
    ready = resolve;
  });
  let end: (how: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const child = await nodeEnv.processes.spawn({
    module: program.path,
    onMessage: ready,
    onExit: ({ code, signal }) => {
      ready({ kind: "ended" });
      end(signal ?? `code ${code}`);
    },
  });
  child.send({
    engine: { kind: "file", directory: join(folder, "log"), durability: "disk" },
    socket,
    secret: SECRET,
  });
  const message = (await answer) as { kind: string };
  expect(message.kind, JSON.stringify(message)).toBe("ready");
  return { child, socket, ended };
}

test("a streams process that is killed again and again loses nothing that it confirmed", async () => {
  const confirmed: string[] = [];
  const taken: string[] = [];
  let number = 0;
  for (let life = 0; life < 4; life++) {
    const { child, socket, ended } = await startStreams(`life-${life}`);
    const control = await new StreamClient("", `agent-${life}`).connect(socket, "control");
    await control.connection.request("open", { streams: ["work"] });
    const source = await new StreamClient("feed", `feed-${life}`).connect(socket, "source");
    const worker = await new StreamClient("work", `worker-${life}`).connect(socket, "worker");
    // Take some of what was there, append more than can be confirmed before the end comes.
    worker.credit(20);
    if (confirmed.length > taken.length) {
      await until(() => worker.held.length >= 10);
      const items = worker.held.slice(0, 10);
      await worker.settle(items);
      taken.push(...items.map(({ text }) => text));
    }
    const appends: Promise<unknown>[] = [];
    for (let i = 0; i < 40; i++) {
      const text = `item-${number++}`;
      appends.push(
        source.append("work", [text]).then(
          () => confirmed.push(text),
          () => undefined,
        ),
      );
    }
    await until(() => confirmed.length >= 15 * (life + 1));
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
    await Promise.all(appends);
  }

  const last = await startStreams("last");
  const control = await new StreamClient("", "agent").connect(last.socket, "control");
  await control.connection.request("open", { streams: ["work"] });
  const worker = await new StreamClient("work", "worker").connect(last.socket, "worker");
  const { streams } = await control.connection.request("stats", {});
  worker.credit(1_000);
  await until(() => worker.held.length === streams[0]?.unsettled);

  const left = new Set(worker.texts);
  expect(left.size).toBe(worker.held.length);
  expect(confirmed.filter((text) => !left.has(text) && !taken.includes(text))).toEqual([]);
  expect(taken.filter((text) => left.has(text))).toEqual([]);
  expect(taken).toHaveLength(30);

  last.child.send("stop");
  expect(await last.ended).toBe("code 0");
});

test("two streams processes do not work on one directory", async () => {
  const first = await startStreams("first");
  const child = await new Promise<unknown>((resolve, reject) => {
    nodeEnv.processes
      .spawn({ module: program.path, onMessage: resolve, onExit: () => reject(new Error("it ended")) })
      .then((second) =>
        second.send({
          engine: { kind: "file", directory: join(folder, "log"), durability: "disk" },
          socket: join(folder, "second.s"),
          secret: SECRET,
        }),
      )
      .catch(reject);
  });
  expect(child).toMatchObject({ kind: "failed", error: { code: "MR_DATA_LOCKED" } });
  first.child.send("stop");
  expect(await first.ended).toBe("code 0");
});
