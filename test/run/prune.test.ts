import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { prune } from "../../src/run/prune.ts";
import { type RunManifest, RunStore } from "../../src/run/run-store.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

function storeOf(): RunStore {
  const directory = mkdtempSync(join(tmpdir(), "millrace-prune-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "bundles"));
  return new RunStore(nodeEnv, directory);
}

/** A hash by its first letters. */
const hash = (letters: string): string => letters.padEnd(64, "0");

function bundle(store: RunStore, letters: string, ageDays: number): string {
  const path = join(store.bundles, `${hash(letters)}.mjs`);
  writeFileSync(path, "");
  const at = new Date(Date.now() - ageDays * DAY_MS);
  utimesSync(path, at, at);
  return path;
}

async function runOf(
  store: RunStore,
  run: string,
  ageDays: number,
  { pipeline = "orders", status = "completed" as RunManifest["status"], bundle = hash("a") } = {},
): Promise<void> {
  const at = Date.now() - ageDays * DAY_MS;
  const shape = { name: pipeline, nodes: [], edges: [] } as unknown as RunManifest["shape"];
  await store.write({
    format: 1,
    run,
    pipeline,
    status,
    params: {},
    shape,
    module: "/m.ts",
    exportName: "default",
    bundle,
    createdAt: at,
    endedAt: at,
  });
}

test("completed runs go when they are older than seven days and not among the last ten; others stay", async () => {
  const store = storeOf();
  for (let i = 0; i < 12; i++) await runOf(store, `old-${10 + i}`, 20 - i / 10);
  await runOf(store, "new", 1);
  await runOf(store, "stopped", 30, { status: "stopped" });
  await runOf(store, "other", 30, { pipeline: "others" });
  await prune(nodeEnv, store, "orders");
  const left = readdirSync(join(store.directory, "orders")).sort();
  const kept = Array.from({ length: 9 }, (_, i) => `old-${13 + i}`);
  expect(left).toEqual(["new", ...kept, "stopped"]);
  expect(existsSync(store.directoryOf("others", "other"))).toBe(true);
});

test("bundles go when they are as old and no run of any pipeline is made of them", async () => {
  const store = storeOf();
  const used = bundle(store, "a", 30);
  const usedElsewhere = bundle(store, "b", 30);
  const unused = bundle(store, "c", 8);
  const fresh = bundle(store, "d", 6);
  const stranger = join(store.bundles, "notes.txt");
  writeFileSync(stranger, "");
  utimesSync(stranger, 0, 0);
  await runOf(store, "r1", 1, { status: "running" });
  await runOf(store, "r2", 40, { pipeline: "others", bundle: hash("b"), status: "stopped" });
  await prune(nodeEnv, store, "orders");
  expect([used, usedElsewhere, unused, fresh, stranger].map((path) => existsSync(path))).toEqual([
    true,
    true,
    false,
    true,
    true,
  ]);
});
