import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { acquireLock, readLock } from "../../src/env/lock-file.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { bundled } from "../support/bundled.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-lock-"));
  path = join(folder, "lock");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The number of a process that has been and is no more. */
function deadPid(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

describe("a lock", () => {
  test("is held by one, says by whom, and is free again when released", async () => {
    const lock = await acquireLock(nodeEnv, path, { note: "socket-1" });

    await expect(acquireLock(nodeEnv, path)).rejects.toMatchObject({
      code: "MR_DATA_LOCKED",
      details: { pid: process.pid },
    });
    expect(await readLock(nodeEnv, path)).toMatchObject({ pid: process.pid, note: "socket-1" });
    await lock.setNote("socket-2");
    expect(await readLock(nodeEnv, path)).toMatchObject({ pid: process.pid, note: "socket-2" });
    await lock.release();
    expect(await readLock(nodeEnv, path)).toBeUndefined();
    await (await acquireLock(nodeEnv, path)).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is waited for, as long as was asked for", async () => {
    const lock = await acquireLock(nodeEnv, path);
    setTimeout(() => void lock.release(), 60);
    await (await acquireLock(nodeEnv, path, { waitMs: 5_000 })).release();
  });

  test("of a process that has ended is taken over, and nothing else is left behind", async () => {
    writeFileSync(path, JSON.stringify({ pid: deadPid(), startTime: "1", note: "" }));
    const lock = await acquireLock(nodeEnv, path, { note: "mine" });

    expect(await readLock(nodeEnv, path)).toMatchObject({ pid: process.pid, note: "mine" });
    expect(readdirSync(folder)).toEqual(["lock"]);
    await lock.release();
  });

  test.runIf(process.platform === "linux")(
    "of a process whose number another one has been given is taken over",
    async () => {
      const { startTime } = nodeEnv.processes.self();
      writeFileSync(
        path,
        JSON.stringify({ pid: process.pid, startTime: `${Number(startTime) - 1}`, note: "" }),
      );
      await (await acquireLock(nodeEnv, path)).release();

      writeFileSync(path, JSON.stringify({ pid: process.pid, startTime, note: "" }));
      await expect(acquireLock(nodeEnv, path)).rejects.toMatchObject({ code: "MR_DATA_LOCKED" });
    },
  );

  test.each(["", "{", "null", "5", '{"pid":"1"}', '{"pid":-1}', '{"pid":0}', '{"pid":1.5}', "\0\0\0\0"])(
    "that says %j holds nothing",
    async (content) => {
      writeFileSync(path, content);
      const lock = await acquireLock(nodeEnv, path);
      expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid });
      await lock.release();
    },
  );

  test("whose heir died while he took it over is taken over all the same", async () => {
    const dead = JSON.stringify({ pid: deadPid(), startTime: "1", note: "" });
    writeFileSync(path, dead);
    // Every name that a takeover may use is already taken by a dead process.
    const { createHash } = await import("node:crypto");
    const name = createHash("sha256").update(dead).digest("hex").slice(0, 12);
    writeFileSync(`${path}.${name}`, JSON.stringify({ pid: deadPid(), startTime: "1", note: "" }));

    await (await acquireLock(nodeEnv, path)).release();
  });
});

describe("of several processes that race for a dead one's lock", () => {
  const RACERS = 4;
  let program: { path: string; remove(): void };
  let racers: { child: ChildProcess; next(): Promise<string> }[] = [];

  beforeAll(async () => {
    program = await bundled(`
      import { createInterface } from "node:readline";
      import { nodeEnv } from "./env/node.ts";
      import { acquireLock } from "./env/lock-file.ts";
      console.log("ready");
      for await (const line of createInterface({ input: process.stdin })) {
        const { path, at } = JSON.parse(line);
        while (Date.now() < at);
        try {
          await acquireLock(nodeEnv, path);
          console.log("won");
        } catch (error) {
          console.log(error.code ?? String(error));
        }
      }
    `);
    racers = Array.from({ length: RACERS }, () => {
      const child = spawn(process.execPath, [program.path], { stdio: ["pipe", "pipe", "inherit"] });
      const lines: string[] = [];
      let wake: (() => void) | undefined;
      let rest = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        const parts = (rest + text).split("\n");
        rest = parts.pop() as string;
        lines.push(...parts);
        wake?.();
      });
      return {
        child,
        next: async () => {
          while (lines.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
          return lines.shift() as string;
        },
      };
    });
    for (const racer of racers) expect(await racer.next()).toBe("ready");
  });

  afterAll(() => {
    for (const { child } of racers) child.kill("SIGKILL");
    program.remove();
  });

  test("exactly one wins, every time", async () => {
    const dead = deadPid();
    for (let round = 0; round < 60; round++) {
      const lock = join(folder, `lock-${round}`);
      writeFileSync(lock, JSON.stringify({ pid: dead, startTime: `${round}`, note: "" }));
      const at = Date.now() + 4;
      for (const { child } of racers) child.stdin?.write(`${JSON.stringify({ path: lock, at })}\n`);
      const results = await Promise.all(racers.map((racer) => racer.next()));

      expect(results.sort(), `round ${round}`).toEqual([...Array(RACERS - 1).fill("MR_DATA_LOCKED"), "won"]);
    }
  });
});
