import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { MESSAGE, STREAM_PROTOCOL_VERSION } from "../../src/streams/protocol.ts";
import { encodeMessage } from "../../src/wire/message.ts";
import { slowEngine } from "../support/slow-engine.ts";
import { SECRET, streamBench, until } from "../support/stream-bench.ts";
import { frameOf } from "../support/test-frames.ts";

test("a source that is started again sees the token that its last life had on its way to the disk", async () => {
  const { engine, hold } = await slowEngine();
  const bench = await streamBench(["work"], engine);
  try {
    const first = await bench.client("feed", "feed-1", "source");
    const release = hold();
    const head = {
      n: 1,
      settle: [],
      append: [["work", 2, 0, true]],
      records: [["source/feed", true]],
      counts: [],
    };
    first.connection.send(MESSAGE.transact, head, [frameOf(["one", "two"]), Buffer.from("token 2")]);
    await bench.settled();
    first.die();
    await bench.settled();

    const again = bench.client("feed", "feed-2", "source");
    await bench.settled();
    release();

    const { welcome } = (await again).connection;
    expect(Buffer.from(welcome.sourceState ?? []).toString()).toBe("token 2");
    expect(engine.stats("work").unsettled).toBe(2);
  } finally {
    await bench.close();
  }
});

test("what an instance sent before its death, read after the verdict on it, takes no items away", async () => {
  const bench = await streamBench(["work"]);
  try {
    const source = await bench.client("feed", "feed-1", "source");
    await source.append("work", ["one", "two"]);
    const verdict = { instance: "w1", stage: "work", charge: true, external: true, what: "signal SIGKILL" };
    await bench.control.connection.request("verdict", verdict);

    const socket = await nodeEnv.net.connect(bench.path);
    let isClosed = false;
    socket.handle({ onData: () => undefined, onClose: () => (isClosed = true) });
    const hello = {
      version: STREAM_PROTOCOL_VERSION,
      role: "worker",
      stage: "work",
      instance: "w1",
      secret: SECRET,
    };
    socket.write([...encodeMessage(MESSAGE.hello, hello), ...encodeMessage(MESSAGE.credit, { items: 2 })]);
    socket.end();
    await until(() => isClosed);

    const next = await bench.client("work", "w1-next", "worker");
    next.credit(2);
    await until(() => next.held.length === 2);
    expect(next.texts).toEqual(["one", "two"]);
  } finally {
    await bench.close();
  }
});
