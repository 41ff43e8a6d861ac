import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectNet, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LocalBackplane } from "../../src/backplane/local.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { MillraceError, RunError } from "../../src/errors.ts";
import type { ControlHandler } from "../../src/mmop/control-connection.ts";
import type { ControlLink } from "../../src/mmop/control-link.ts";
import { LengthPrefixReader, prefixed } from "../../src/mmop/length-prefix.ts";
import { MmopServer } from "../../src/mmop/server.ts";
import { connectControlSocket, serveControlSocket } from "../../src/mmop/socket-link.ts";
import { REPLIES } from "./samples.ts";

const self = { name: "run", boot: "r1" };
const cli = { self: { name: "cli", boot: "x" } };

let directory: string;
let path: string;
let errors: Error[];
let closing: (() => unknown)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "control-"));
  path = join(directory, "control.sock");
  errors = [];
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await rm(directory, { recursive: true });
});

async function serve(handler: ControlHandler, messageTimeoutMs = 10_000): Promise<void> {
  const onError = (error: Error) => errors.push(error);
  const server = await serveControlSocket(nodeEnv, path, handler, { self, onError, messageTimeoutMs });
  closing.push(() => server.close());
}

async function link(): Promise<ControlLink> {
  const opened = await connectControlSocket(nodeEnv, path, cli);
  closing.push(() => opened.close());
  return opened;
}

describe("a control socket", () => {
  test("speaks the verbs that a server handles", async () => {
    const local = new LocalBackplane(nodeEnv);
    closing.push(() => local.close());
    const server = new MmopServer(local.connect("c"), { self, onError: (error) => errors.push(error) })
      .on("coord.status", () => REPLIES["coord.status"][0]!)
      .on("coord.stop", ({ run }) => {
        throw new RunError("MR_RUN_UNKNOWN", `run ${run}: there is none; list them`, { details: { run } });
      });
    await serve((message) => server.dispatch(message));
    const caller = await link();
    const [status, stop] = await Promise.allSettled([
      caller.request("coord.status", {}),
      caller.request("coord.stop", { run: "r9", now: true }),
    ]);
    expect(status).toEqual({ status: "fulfilled", value: REPLIES["coord.status"][0] });
    expect(stop).toMatchObject({ reason: { code: "MR_RUN_UNKNOWN", details: { run: "r9" } } });
    await expect(caller.request("coord.ping", {})).rejects.toMatchObject({ code: "MR_PROTOCOL" });
  });

  test("pairs replies that overtake each other", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve(async ({ verb }) => {
      if (verb === "coord.status") await gate;
      else release();
      return verb === "coord.status" ? { runs: [] } : { version: "1", epoch: 0 };
    });
    const caller = await link();
    const [status, ping] = await Promise.all([
      caller.request("coord.status", {}),
      caller.request("coord.ping", {}),
    ]);
    expect([status, ping]).toEqual([{ runs: [] }, { version: "1", epoch: 0 }]);
  });

  test("tells a caller in time that nobody is there, that no reply comes, that the owner has died", async () => {
    await expect(connectControlSocket(nodeEnv, path, cli)).rejects.toMatchObject({
      code: "MR_UNREACHABLE_PEER",
    });
    const silent: Socket[] = [];
    const owner = createServer((socket) => silent.push(socket)).listen(path);
    closing.push(() => owner.close());
    const caller = await connectControlSocket(nodeEnv, path, cli);
    await expect(caller.request("coord.ping", {}, { timeoutMs: 30 })).rejects.toMatchObject({
      code: "MR_REQUEST_TIMEOUT",
    });
    const open = caller.request("coord.ping", {}, { timeoutMs: 60_000 });
    await expect.poll(() => silent.length).toBe(1);
    silent[0]?.destroy();
    await expect(open).rejects.toMatchObject({ code: "MR_UNREACHABLE_PEER" });
    await expect(caller.request("coord.ping", {})).rejects.toMatchObject({ code: "MR_UNREACHABLE_PEER" });
  });

  test("gives up on an owner that does not accept", async () => {
    const env = { ...nodeEnv, net: { ...nodeEnv.net, connect: () => new Promise<never>(() => {}) } };
    await expect(connectControlSocket(env, path, { ...cli, connectTimeoutMs: 20 })).rejects.toMatchObject({
      code: "MR_REQUEST_TIMEOUT",
    });
  });

  test("reports a handler's mistake and tells the caller MR_INTERNAL", async () => {
    await serve(() => {
      throw new TypeError("oops");
    });
    await expect((await link()).request("coord.ping", {})).rejects.toMatchObject({ code: "MR_INTERNAL" });
    expect(errors.map(({ message }) => message)).toEqual(["oops"]);
  });

  test("refuses a reply above 64 KiB with a code, and goes on", async () => {
    await serve(({ verb }) =>
      verb === "coord.ping" ? { version: "v".repeat(70_000), epoch: 0 } : { runs: [] },
    );
    const caller = await link();
    await expect(caller.request("coord.ping", {})).rejects.toMatchObject({ code: "MR_MESSAGE_TOO_LARGE" });
    expect(await caller.request("coord.status", {})).toEqual({ runs: [] });
  });
});

describe("what a stranger sends to a control socket", () => {
  const good = { mmop: 1, verb: "coord.ping", from: cli.self, request: "q1", body: {} };

  test("is refused with a code, and the connection lives on", async () => {
    await serve(() => ({ version: "1", epoch: 0 }));
    const stranger = await strangerAt(path);
    const cases: [unknown, string, string | undefined][] = [
      ["not { JSON", "MR_PROTOCOL", undefined],
      [null, "MR_PROTOCOL", undefined],
      [{ ...good, mmop: 2 }, "MR_PROTOCOL_VERSION", "q1"],
      [{ ...good, verb: "coord.fly" }, "MR_PROTOCOL", "q1"],
      [{ ...good, verb: "hb" }, "MR_PROTOCOL", "q1"],
      [{ ...good, body: 3 }, "MR_PROTOCOL", "q1"],
    ];
    for (const [message, code, request] of cases) {
      stranger.send(message);
      const reply = await stranger.next();
      expect(reply).toMatchObject({ mmop: 1, from: self, failure: { code } });
      expect((reply as { request?: string }).request).toBe(request);
    }
    stranger.send(good);
    expect(await stranger.next()).toEqual({ ...good, from: self, body: { version: "1", epoch: 0 } });
    expect(errors).toEqual([]);
  });

  test("costs its connection when it announces more than 64 KiB: refused before a byte of it is taken", async () => {
    await serve(() => ({ version: "1", epoch: 0 }));
    const stranger = await strangerAt(path);
    stranger.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect(await stranger.next()).toMatchObject({ failure: { code: "MR_MESSAGE_TOO_LARGE" } });
    await stranger.closed;
    expect(await (await link()).request("coord.ping", {})).toEqual({ version: "1", epoch: 0 });
  });

  test("costs its connection when a message never ends, however the bytes trickle", async () => {
    await serve(() => ({ version: "1", epoch: 0 }), 60);
    const stranger = await strangerAt(path);
    stranger.write(Buffer.from([0, 0, 0, 200]));
    const trickle = setInterval(() => stranger.write(Buffer.from([0x20])), 10);
    await stranger.closed;
    clearInterval(trickle);
  });

  test("may come in pieces: what is complete in time leaves the connection its whole life", async () => {
    await serve(() => ({ version: "1", epoch: 0 }), 200);
    const stranger = await strangerAt(path);
    const began = performance.now();
    while (performance.now() - began < 500) {
      const bytes = Buffer.concat(prefixed(JSON.stringify(good)));
      for (const piece of [bytes.subarray(0, 3), bytes.subarray(3, 50), bytes.subarray(50)]) {
        stranger.write(piece);
        await nodeEnv.timers.sleep(5); // lets it arrive as a piece; nothing depends on it
      }
      expect(await stranger.next()).toMatchObject({ request: "q1", body: { version: "1" } });
    }
  });

  test("is held to 64 requests at once", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve(async () => {
      await gate;
      return { version: "1", epoch: 0 };
    });
    const caller = await link();
    const requests = Array.from({ length: 65 }, () => caller.request("coord.ping", {}));
    await expect(requests[64]).rejects.toMatchObject({ code: "MR_BACKPRESSURE", retryable: true });
    release();
    expect(await Promise.all(requests.slice(0, 64))).toHaveLength(64);
  });
});

test("a caller survives an owner that sends junk", async () => {
  for (const junk of [Buffer.from("\0\0\0\x05hello"), Buffer.from([0xff, 0, 0, 0])]) {
    await rm(path, { force: true });
    const owner = createServer((socket) => socket.on("data", () => socket.write(junk)).on("error", () => {}));
    await new Promise<void>((resolve) => owner.listen(path, resolve));
    const caller = await connectControlSocket(nodeEnv, path, cli);
    const error = await caller.request("coord.ping", {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).code).toMatch(/^MR_(PROTOCOL|MESSAGE_TOO_LARGE)$/);
    await new Promise((resolve) => owner.close(resolve));
  }
});

describe("length prefixes", () => {
  test("cut any stream of messages right, wherever its chunks are split", () => {
    const messages = fc.array(fc.string({ unit: "binary", maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (texts, sizes) => {
        const bytes = Buffer.concat(texts.flatMap((text) => prefixed(text)));
        const reader = new LengthPrefixReader();
        const read: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] as number;
          reader.push(bytes.subarray(at, at + size), (body) => read.push(body.toString("utf8")));
          at += size;
        }
        expect(read).toEqual(texts.map((text) => Buffer.from(text).toString("utf8")));
        expect(reader.isMidway).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  test("take any bytes without harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          new LengthPrefixReader().push(bytes, (body) =>
            expect(body.byteLength).toBeLessThanOrEqual(bytes.length),
          );
        } catch (error) {
          expect(error).toMatchObject({ code: "MR_MESSAGE_TOO_LARGE" });
        }
      }),
    );
  });
});

interface Stranger {
  /** A string goes as it is, anything else as JSON. */
  send(message: unknown): void;
  write(bytes: Uint8Array): void;
  next(): Promise<unknown>;
  readonly closed: Promise<void>;
}

async function strangerAt(socketPath: string): Promise<Stranger> {
  const socket = connectNet(socketPath);
  closing.push(() => socket.destroy());
  const replies: unknown[] = [];
  const reader = new LengthPrefixReader();
  socket.on("data", (chunk) => reader.push(chunk, (body) => replies.push(JSON.parse(body.toString("utf8")))));
  socket.on("error", () => {}); // a reset is one way to be refused
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  await new Promise((resolve) => socket.on("connect", resolve));
  return {
    send: (message) => {
      const text = typeof message === "string" ? message : JSON.stringify(message);
      for (const part of prefixed(text)) socket.write(part);
    },
    write: (bytes) => void socket.write(bytes),
    next: async () => {
      await expect.poll(() => replies.length, { timeout: 5_000 }).toBeGreaterThan(0);
      return replies.shift();
    },
    closed,
  };
}
