/** The raw limit: the same streams server, frames and codec, and nothing else. One process a role. */
import { nodeEnv } from "../../src/env/node.ts";
import type { ConnectionHandlers } from "../../src/streams/connection.ts";
import { StreamConnection } from "../../src/streams/connection.ts";
import { openEngine } from "../../src/streams/open-engine.ts";
import { type ConnectionRole, MESSAGE, STREAM_PROTOCOL_VERSION } from "../../src/streams/protocol.ts";
import { StreamServer } from "../../src/streams/server.ts";
import { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";
import { OriginSequence } from "../../src/wire/ids.ts";
import { ItemDecoder, ItemEncoder } from "../../src/wire/item-codec.ts";
import { addTax, type Item, makeItem } from "../hop/item.ts";
import { type Part, playRole } from "../play-role.ts";

const SECRET = "raw";
/** Bytes under way that nobody has confirmed: as much as a source of ours has. */
const MAX_UNCONFIRMED = 4 * 1024 * 1024;
/** Items a consumer may hold: as many as an instance of ours may. */
const CREDIT = 32_768;

/** The streams process: disk, flushed before anything is confirmed. `work` reports its private memory. */
async function server([socket = "", directory = ""]: string[]): Promise<Part> {
  const { engine } = await openEngine(nodeEnv, { kind: "file", directory, durability: "disk" });
  const streams = new StreamServer(nodeEnv, engine, { boot: "raw", secret: SECRET });
  await streams.open(["first", "second"]);
  const listening = await nodeEnv.net.listen(socket, (peer) => streams.accept(peer));
  return {
    work: async () => process.memoryUsage.rss(),
    close: async () => {
      await listening.close();
      await streams.close();
    },
  };
}

async function greet(
  socket: string,
  stage: string,
  role: ConnectionRole,
  handlers: ConnectionHandlers,
): Promise<StreamConnection> {
  const hello = { version: STREAM_PROTOCOL_VERSION, role, stage, instance: `${stage}.1`, secret: SECRET };
  return await StreamConnection.greet(await nodeEnv.net.connect(socket), hello, handlers);
}

/** Frames of items, one after the other; what is not confirmed is bounded. */
class Sender {
  readonly #builder = new FrameBuilder();
  readonly #encoder = new ItemEncoder();
  readonly #origins = new OriginSequence(nodeEnv.random);
  readonly #unconfirmed = new Map<number, number>();
  #bytes = 0;
  #n = 0;
  #wake: (() => void) | undefined;
  connection: StreamConnection | undefined;

  /** The full frame that had to make room, if one had to. */
  add(item: unknown): Buffer | undefined {
    const bytes = this.#encoder.encode(item);
    const full = this.#builder.isFullFor(bytes.byteLength) ? this.close() : undefined;
    this.#builder.add(bytes);
    return full;
  }

  close(): Buffer | undefined {
    if (this.#builder.count === 0) return undefined;
    return this.#builder.close(this.#origins.next(), 0, Date.now(), this.#encoder.table);
  }

  send(to: string, frame: Buffer | undefined, settle: readonly (readonly [number, number, number])[]): void {
    const n = ++this.#n;
    this.#unconfirmed.set(n, frame?.length ?? 0);
    this.#bytes += frame?.length ?? 0;
    const append = frame === undefined ? [] : [[to, Frame.parse(frame).count, 0, true]];
    const head = {
      n,
      settle: settle.map((range) => [...range, "completed"]),
      append,
      records: [],
      counts: [],
    };
    this.connection?.send(MESSAGE.transact, head, frame === undefined ? [] : [frame]);
  }

  confirmed(n: number): void {
    this.#bytes -= this.#unconfirmed.get(n) ?? 0;
    this.#unconfirmed.delete(n);
    this.#wake?.();
  }

  async room(limit: number): Promise<void> {
    while (this.#bytes > limit || (limit === 0 && this.#unconfirmed.size > 0))
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

/** Stores so many items; reports when it began and when the last was durable. */
async function producer([socket = "", items = ""]: string[]): Promise<Part> {
  const sender = new Sender();
  const connection = await greet(socket, "producer", "source", { onConfirmed: (n) => sender.confirmed(n) });
  sender.connection = connection;
  return {
    async work() {
      const began = Date.now();
      for (let id = 0; id < Number(items); id++) {
        const frame = sender.add(makeItem(id));
        if (frame === undefined) continue;
        sender.send("first", frame, []);
        await sender.room(MAX_UNCONFIRMED);
      }
      sender.send("first", sender.close(), []);
      await sender.room(0);
      return { began, ended: Date.now() };
    },
    close: async () => connection.end(),
  };
}

/** Decodes, works, encodes and stores what comes, or only settles it; reports when so many items were done. */
async function consumer([socket = "", from = "", to = "", items = ""]: string[]): Promise<Part> {
  const sender = new Sender();
  const decoder = new ItemDecoder();
  let done = 0;
  let onDone: (at: number) => void;
  const all = new Promise<number>((resolve) => (onDone = resolve));
  const sizes: number[] = [];
  const connection = await greet(socket, from, "worker", {
    onConfirmed: (n) => {
      sender.confirmed(n);
      const settled = sizes[n - 1] ?? 0;
      done += settled;
      connection.send(MESSAGE.credit, { items: settled });
      if (done >= Number(items)) onDone(Date.now());
    },
    onDeliver: (ranges, frames) => {
      for (const [i, { f, o, n }] of ranges.entries()) {
        const frame = Frame.parse(frames[i] as Buffer);
        const decode = decoder.for(frame.table);
        for (let place = 0; place < n; place++) {
          const { starts, payload } = frame;
          const item = decode(payload, starts[place] as number, starts[place + 1] as number) as Item;
          if (to === "-") continue;
          const full = sender.add(addTax(item));
          if (full !== undefined) {
            sizes.push(0);
            sender.send(to, full, []);
          }
        }
        sizes.push(n);
        sender.send(to, to === "-" ? undefined : sender.close(), [[f, o, o + n]]);
      }
    },
  });
  sender.connection = connection;
  return {
    async work() {
      connection.send(MESSAGE.credit, { items: CREDIT });
      return await all;
    },
    close: async () => connection.end(),
  };
}

await playRole({ server, producer, consumer });
