import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LocalBackplane } from "../../src/backplane/local.ts";
import type { Env } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { backplaneContract } from "../contract/backplane-contract.ts";

backplaneContract(
  "local, in memory",
  async () => {
    const local = new LocalBackplane(nodeEnv);
    return {
      connect: async (name, onError) => local.connect(name, { onError }),
      close: () => local.close(),
    };
  },
  {
    skip: [
      {
        reason: "nothing is stored without a directory",
        tests: ["keeps entries, revisions, objects and the growth of epochs"],
      },
    ],
  },
);

backplaneContract("local, in a directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "backplane-"));
  let local = new LocalBackplane(nodeEnv, { directory });
  return {
    connect: async (name, onError) => local.connect(name, { onError }),
    restart: async () => {
      await local.close();
      local = new LocalBackplane(nodeEnv, { directory });
    },
    close: async () => {
      await local.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe("a local backplane in a directory", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "backplane-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test("writes together what was asked together", async () => {
    let writes = 0;
    const env = withDisk({
      replaceFile: (path, content, options) => {
        writes++;
        return nodeEnv.disk.replaceFile(path, content, options);
      },
    });
    const local = new LocalBackplane(env, { directory });
    const kv = local.connect("a").kv("kv");
    await Promise.all(Array.from({ length: 100 }, (_, i) => kv.put(`k${i}`, i)));
    expect(writes).toBeLessThanOrEqual(2);
    expect(await kv.keys()).toHaveLength(100);
    await local.close();
  });

  test("leaves a bucket as it was when the disk refuses, and goes on when it does not", async () => {
    let full = false;
    const env = withDisk({
      replaceFile: async (path, content, options) => {
        if (full) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        await nodeEnv.disk.replaceFile(path, content, options);
      },
    });
    const local = new LocalBackplane(env, { directory });
    const kv = local.connect("a").kv("kv");
    const seen: unknown[] = [];
    await kv.watch((change) => void seen.push(change));
    const revision = await kv.put("x", "before");
    full = true;
    await expect(kv.put("x", "lost")).rejects.toThrow("ENOSPC");
    expect(await kv.get("x")).toEqual({ key: "x", value: "before", revision });
    full = false;
    const next = await kv.update("x", "after", revision);
    await expect.poll(() => seen.length).toBe(2);
    await local.close();
    const later = new LocalBackplane(nodeEnv, { directory });
    expect(await later.connect("b").kv("kv").get("x")).toEqual({ key: "x", value: "after", revision: next });
    await later.close();
    expect(seen).toMatchObject([{ value: "before" }, { value: "after" }]);
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, -5), "MR_BACKPLANE_CORRUPT"],
    ["something else", () => '{"hello":1}', "MR_BACKPLANE_CORRUPT"],
    ["null", () => "null", "MR_BACKPLANE_CORRUPT"],
    ["an entry spoilt", (text: string) => text.replace('"k"', "7"), "MR_BACKPLANE_CORRUPT"],
    ["a later version", (text: string) => text.replace('"version":1', '"version":2'), "MR_LOG_VERSION"],
  ])("refuses a bucket's file that is damaged (%s) and names it", async (_, damage, code) => {
    const first = new LocalBackplane(nodeEnv, { directory });
    await first.connect("a").kv("kv").put("k", 1);
    await first.close();
    const path = join(directory, "kv", "kv.json");
    const sound = await readFile(path, "utf8");
    await writeFile(path, damage(sound));
    const second = new LocalBackplane(nodeEnv, { directory });
    const kv = second.connect("a").kv("kv");
    await expect(kv.get("k")).rejects.toMatchObject({ code, message: expect.stringContaining(path) });
    await writeFile(path, sound);
    expect((await kv.get("k"))?.value).toBe(1);
    await second.close();
  });

  test("begins no watch for a client that is closed while the bucket's file is read", async () => {
    const first = new LocalBackplane(nodeEnv, { directory });
    await first.connect("a").kv("kv").put("k", 1);
    await first.close();
    const second = new LocalBackplane(nodeEnv, { directory });
    const client = second.connect("a");
    const seen: unknown[] = [];
    const watching = client.kv("kv").watch((change) => void seen.push(change));
    await client.close();
    await expect(watching).rejects.toMatchObject({ code: "MR_BACKPLANE_CLOSED" });
    await second.connect("b").kv("kv").put("k", 2);
    expect(seen).toEqual([]);
    await second.close();
  });

  test("does not list what a killed writer left behind", async () => {
    const local = new LocalBackplane(nodeEnv, { directory });
    const objects = local.connect("a").objects("o");
    await objects.put("x.js", Buffer.from("x"));
    const [file] = await readdir(join(directory, "objects", "o"));
    await writeFile(join(directory, "objects", "o", `${file}.123.0.tmp`), "half");
    expect(await objects.list()).toEqual(["x.js"]);
    await local.close();
  });

  function withDisk(disk: Partial<Env["disk"]>): Env {
    return { ...nodeEnv, disk: { ...nodeEnv.disk, ...disk } };
  }
});

describe("a local lease", () => {
  test("is safe for 0.6 of its ttl and free after all of it, on the monotonic clock", async () => {
    let mono = 1_000;
    const env: Env = { ...nodeEnv, clock: { now: () => 0, mono: () => mono } };
    const local = new LocalBackplane(env);
    const mine = local.connect("a").lease("l", { ttlMs: 100, holder: "a" });
    const yours = local.connect("b").lease("l", { ttlMs: 100, holder: "b" });
    const epoch = await mine.acquire();
    mono += 59;
    expect(mine.epoch).toBe(epoch);
    expect(await mine.renew()).toBe(true);
    mono += 60;
    expect(mine.epoch).toBeUndefined();
    mono += 39;
    expect(await yours.acquire()).toBeUndefined();
    mono += 1;
    expect(await yours.acquire()).toBeGreaterThan(epoch as number);
    expect(await mine.renew()).toBe(false);
    await local.close();
  });

  test("is not held by one who released it while it was being acquired", async () => {
    const local = new LocalBackplane(nodeEnv);
    const lease = local.connect("a").lease("l", { ttlMs: 5_000, holder: "a" });
    const acquiring = lease.acquire();
    await lease.release();
    expect(await acquiring).toBeUndefined();
    expect(lease.epoch).toBeUndefined();
    await local.close();
  });
});

test("a reader that never keeps up loses messages, is told, and holds up nobody", async () => {
  const errors: Error[] = [];
  const local = new LocalBackplane(nodeEnv, { onError: (error) => errors.push(error) });
  const client = local.connect("slow");
  let seen = 0;
  await client.subscribe("flood", () => new Promise(() => {}));
  await client.subscribe("flood", () => void seen++);
  for (let i = 0; i < 10_000; i++) client.publish("flood", i);
  await new Promise<void>((resolve) => nodeEnv.timers.soon(resolve));
  await expect.poll(() => seen).toBe(10_000);
  for (let i = 0; i < 5; i++) client.publish("flood", i);
  await expect.poll(() => seen).toBe(10_005);
  expect(errors.length).toBeGreaterThan(0);
  expect(errors[0]).toMatchObject({ code: "MR_BACKPRESSURE" });
  await local.close();
});

test("a request that waits for a responder which closes fails at once", async () => {
  const local = new LocalBackplane(nodeEnv);
  const responder = local.connect("r");
  await responder.respond("x", () => "never asked");
  const reply = local.connect("a").request("x", 1, { timeoutMs: 60_000 });
  await responder.close();
  await expect(reply).rejects.toMatchObject({ code: "MR_UNREACHABLE_PEER" });
  await local.close();
});
