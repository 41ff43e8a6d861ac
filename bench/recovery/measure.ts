import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEnv } from "../../src/env/node.ts";
import type { Append } from "../../src/streams/contract.ts";
import { openEngine } from "../../src/streams/open-engine.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";

/** Opens a data directory with a long backlog again and prints how long that takes: `recovery.mjs [FRAMES] [FOLDER]`. */

const frames = Number(process.argv[2] ?? 1_000_000);
const directory = await mkdtemp(join(process.argv[3] ?? tmpdir(), "millrace-recovery-"));

const builder = new FrameBuilder();
for (let i = 0; i < 5; i++) builder.add(Buffer.from(`an item of thirty-odd bytes, ${i}`));
const frame = builder.close(Buffer.alloc(12), 0, 0, Buffer.alloc(0));

const settings = { kind: "file", directory, durability: "process" } as const;
try {
  const filled = await openEngine(nodeEnv, settings);
  await filled.engine.open("backlog");
  const started = performance.now();
  for (let done = 0; done < frames; ) {
    const group: Promise<void>[] = [];
    for (let i = 0; i < 1_000 && done < frames; i++, done++) {
      const append: Append = { stream: "backlog", frame, count: 5, delayMs: 0, isNew: true };
      group.push(
        filled.engine.transact({ settlements: [], appends: [append], records: [], marks: [], counts: [] }),
      );
    }
    await Promise.all(group);
  }
  const filling = performance.now() - started;
  await filled.close();

  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const before = performance.now();
    const opened = await openEngine(nodeEnv, settings);
    await opened.engine.open("backlog");
    times.push(performance.now() - before);
    const { unsettled } = opened.engine.stats("backlog");
    if (unsettled !== frames * 5) throw new Error(`${unsettled} items are there, not ${frames * 5}`);
    await opened.close();
  }
  const best = Math.min(...times);
  console.log(
    `recovery: ${frames} frames of ${frame.length} bytes: written in ${Math.round(filling)} ms, opened again in ` +
      `${times.map((ms) => Math.round(ms)).join(", ")} ms (${Math.round(frames / best)} frames a ms), ` +
      `${Math.round(process.memoryUsage().rss / 2 ** 20)} MB resident`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
