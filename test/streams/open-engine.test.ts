import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { encodeRecord } from "../../src/streams/embedded/log-record.ts";
import { openEngine } from "../../src/streams/open-engine.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-engine-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("an engine that cannot be opened leaves its directory free: the next attempt meets the same fault", async () => {
  const head = { version: 99, snapshot: { streams: {}, counts: {} } };
  writeFileSync(
    join(directory, "00000001.seg"),
    Buffer.concat(encodeRecord({ head, blobs: [] }, 1, 1).buffers),
  );
  const settings = { kind: "file", directory, durability: "disk" } as const;

  for (let i = 0; i < 2; i++) {
    await expect(openEngine(nodeEnv, settings)).rejects.toMatchObject({ code: "MR_LOG_VERSION" });
    expect(readdirSync(directory)).toEqual(["00000001.seg"]);
  }
});

test("damage is told in words, a torn tail is not", async () => {
  const settings = { kind: "file", directory, durability: "disk" } as const;
  for (let i = 0; i < 2; i++) await (await openEngine(nodeEnv, settings)).close();
  const [older] = readdirSync(directory)
    .filter((name) => name.endsWith(".seg"))
    .sort();
  writeFileSync(join(directory, older as string), Buffer.from("not a record"), { flag: "a" });
  writeFileSync(join(directory, "00000009.seg"), Buffer.from("torn"));

  const opened = await openEngine(nodeEnv, settings);

  expect(opened.damage).toEqual([expect.stringMatching(/00000.*\.seg: 12 bytes at \d+ are damaged$/)]);
  await opened.close();
});
