import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { BlobFolder } from "../../src/streams/blob-folder.ts";
import { NOTHING, type StreamEngine } from "../../src/streams/contract.ts";
import { openEngine } from "../../src/streams/open-engine.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-blobs-"));
  folders.push(folder);
  return folder;
}

test("the number of deliveries that refer to a blob outlives a restart of the engine, and none frees it once", async () => {
  const directory = join(temporaryFolder(), "log");
  const freed: string[] = [];
  const open = async (): Promise<{ engine: StreamEngine; close(): Promise<void> }> => {
    const opened = await openEngine(nodeEnv, { kind: "file", directory, durability: "disk" });
    opened.engine.onBlobFree((blob) => freed.push(blob));
    return opened;
  };
  let { engine, close } = await open();
  await engine.transact({
    ...NOTHING,
    blobs: [
      ["one", 2],
      ["two", 1],
    ],
  });
  await engine.transact({
    ...NOTHING,
    blobs: [
      ["one", -1],
      ["two", -1],
    ],
  });
  expect(freed).toEqual(["two"]);
  await close();
  ({ engine, close } = await open());
  // What was free before is not told again.
  expect(freed).toEqual(["two"]);
  expect([engine.holdsBlob("one"), engine.holdsBlob("two")]).toEqual([true, false]);
  await engine.transact({ ...NOTHING, blobs: [["one", -1]] });
  expect(freed).toEqual(["two", "one"]);
  await close();
});

test("a sweep removes what a crash has left, and neither what is referred to nor what is new", async () => {
  const directory = join(temporaryFolder(), "blobs");
  const folder = new BlobFolder(nodeEnv, directory);
  mkdirSync(directory);
  const [held, old, fresh] = ["a".repeat(24), "b".repeat(24), "c".repeat(24)] as const;
  for (const id of [held, old, fresh]) writeFileSync(join(directory, id), id);
  const before = new Date(Date.now() - 2 * 60 * 60 * 1_000);
  for (const id of [held, old]) utimesSync(join(directory, id), before, before);
  await folder.sweep((id) => id === held);
  expect(readdirSync(directory).sort()).toEqual([held, fresh]);
});

test("an id that leads out of the folder is refused", async () => {
  const folder = new BlobFolder(nodeEnv, temporaryFolder());
  const read = async (): Promise<void> => {
    for await (const _ of folder.read("../../etc/passwd")) break;
  };
  await expect(read()).rejects.toMatchObject({ code: "MR_BLOB_UNAVAILABLE" });
});

test("a stream that breaks off leaves no file", async () => {
  const directory = temporaryFolder();
  const folder = new BlobFolder(nodeEnv, directory);
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("the network is gone");
  };
  await expect(folder.write(broken())).rejects.toThrow("the network is gone");
  expect(readdirSync(directory)).toEqual([]);
});
