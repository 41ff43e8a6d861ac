import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import { StreamServer } from "../../src/streams/server.ts";
import { SECRET, StreamClient, until } from "../support/stream-bench.ts";

test("instances that are back before the streams are open wait for it: nothing they store is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mr-"));
  const path = join(folder, "s");
  const { engine } = await EmbeddedEngine.open(nodeEnv, () => new MemoryLog(), "nothing");
  const server = new StreamServer(nodeEnv, engine, { boot: "boot-2", secret: SECRET });
  const listener = await nodeEnv.net.listen(path, (socket) => server.accept(socket));
  try {
    const control = await new StreamClient("", "control").connect(path, "control");
    const [feed, worker, stranger] = [
      new StreamClient("feed", "feed-1"),
      new StreamClient("work", "work-1"),
      new StreamClient("unknown", "w"),
    ];
    const early = [feed.connect(path, "source"), worker.connect(path, "worker")];
    const refused = expect(stranger.connect(path, "worker")).rejects.toMatchObject({
      code: "MR_STREAM_UNKNOWN",
    });
    let isIn = false;
    void Promise.race(early).then(() => {
      isIn = true;
    });
    // All three have been read by now, and who was refused would know.
    for (let i = 0; i < 5; i++) await control.connection.request("stats", {});
    expect(isIn).toBe(false);

    await control.connection.request("open", { streams: ["work"] });
    await Promise.all(early);
    await refused;
    await feed.append("work", ["a", "b"]);
    worker.credit(2);
    await until(() => worker.held.length === 2);
    await worker.settle([...worker.held]);
  } finally {
    await listener.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
