import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEnv } from "../../src/env/node.ts";
import type { StreamError } from "../../src/errors.ts";
import { StreamConnection } from "../../src/streams/connection.ts";
import type { Mark, Outcome, StreamEngine } from "../../src/streams/contract.ts";
import type { DiskRoom } from "../../src/streams/disk-room.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import {
  type ConnectionRole,
  type DeliveredRange,
  type HelloHead,
  MESSAGE,
  type OpenAsk,
  STREAM_PROTOCOL_VERSION,
  type StreamEvent,
  type TransactHead,
  type Verdict,
} from "../../src/streams/protocol.ts";
import { StreamServer } from "../../src/streams/server.ts";
import { frameOf, textsOf } from "./test-frames.ts";

export const SECRET = "secret of the run";

/** One item in a client's hands. */
export interface HeldItem {
  readonly text: string;
  readonly frame: number;
  readonly place: number;
  readonly mark: Mark | undefined;
}

/** An instance, as the server sees one: a connection and what came over it. */
export class StreamClient {
  readonly instance: string;
  readonly stage: string;
  readonly held: HeldItem[] = [];
  readonly confirmed: number[] = [];
  readonly refused: { n: number; error: StreamError }[] = [];
  readonly events: StreamEvent[] = [];
  /** Whether it was told last that the disk is low. */
  isDiskLow = false;
  isClosed = false;
  /** Items that counted as begun when they came. */
  begun = 0;
  connection!: StreamConnection;
  #n = 0;

  constructor(stage: string, instance: string) {
    this.stage = stage;
    this.instance = instance;
  }

  async connect(path: string, role: ConnectionRole, change: Partial<HelloHead> = {}): Promise<this> {
    const hello: HelloHead = {
      version: STREAM_PROTOCOL_VERSION,
      role,
      stage: this.stage,
      instance: this.instance,
      secret: SECRET,
      ...change,
    };
    this.connection = await StreamConnection.greet(await nodeEnv.net.connect(path), hello, {
      onDeliver: (ranges, frames) => this.#take(ranges, frames),
      onConfirmed: (n) => this.confirmed.push(n),
      onRefused: (n, error) => this.refused.push({ n, error }),
      onFull: (_stages, isDiskLow) => {
        this.isDiskLow = isDiskLow;
      },
      onEvent: (event) => this.events.push(event),
      onClose: () => {
        this.isClosed = true;
      },
    });
    return this;
  }

  #take(ranges: readonly DeliveredRange[], frames: readonly Buffer[]): void {
    for (const [i, { f, o, m, b = 0 }] of ranges.entries()) {
      this.begun += b;
      const marks = new Map(m ?? []);
      for (const [place, text] of textsOf(frames[i] as Buffer).entries()) {
        this.held.push({ text, frame: f, place: o + place, mark: marks.get(place) });
      }
    }
  }

  get texts(): string[] {
    return this.held.map(({ text }) => text);
  }

  credit(items: number): void {
    this.connection.send(MESSAGE.credit, { items });
  }

  start(...items: readonly HeldItem[]): void {
    this.connection.send(MESSAGE.started, {
      ranges: items.flatMap(({ frame, place }) => [frame, place, place + 1]),
    });
  }

  /** Sends a transaction; resolves when it was confirmed, rejects when it was refused. */
  async transact(part: Partial<TransactHead>, blobs: readonly Uint8Array[] = []): Promise<void> {
    const n = ++this.#n;
    this.connection.send(
      MESSAGE.transact,
      { settle: [], append: [], records: [], counts: [], ...part, n },
      blobs,
    );
    await until(
      () => this.confirmed.includes(n) || this.refused.some((r) => r.n === n || r.n === 0) || this.isClosed,
    );
    const refusal = this.refused.find((r) => r.n === n || r.n === 0);
    if (refusal !== undefined) throw refusal.error;
    if (!this.confirmed.includes(n)) throw new Error("the connection closed");
  }

  append(stream: string, texts: readonly string[]): Promise<void> {
    return this.transact({ append: [[stream, texts.length, 0, true]] }, [frameOf(texts)]);
  }

  async settle(items: readonly HeldItem[], outcome: Outcome = "completed"): Promise<void> {
    for (const item of items) this.held.splice(this.held.indexOf(item), 1);
    await this.transact({ settle: items.map(({ frame, place }) => [frame, place, place + 1, outcome]) });
  }

  /** Ends the connection, as the death of its process does. */
  die(): void {
    this.connection.destroy();
  }
}

/** Waits for a condition; fails after five seconds with what it was. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export interface StreamBench {
  readonly path: string;
  readonly server: StreamServer;
  readonly engine: StreamEngine;
  readonly control: StreamClient;
  client(
    stage: string,
    instance: string,
    role: ConnectionRole,
    change?: Partial<HelloHead>,
  ): Promise<StreamClient>;
  verdict(of: StreamClient, change?: Partial<Verdict>): Promise<number>;
  /** Resolves when all that clients have sent so far was handled. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** A streams server on a socket of its own, its engine in memory, with these streams open. */
export async function streamBench(
  streams: readonly string[],
  given?: StreamEngine,
  how: Omit<OpenAsk, "streams"> = {},
  disk?: DiskRoom,
): Promise<StreamBench> {
  const folder = await mkdtemp(join(tmpdir(), "mr-"));
  const path = join(folder, "s");
  const engine = given ?? (await EmbeddedEngine.open(nodeEnv, () => new MemoryLog(), "nothing")).engine;
  const server = new StreamServer(nodeEnv, engine, { boot: "boot-1", secret: SECRET, ...(disk && { disk }) });
  await server.open(streams, how);
  const listener = await nodeEnv.net.listen(path, (socket) => server.accept(socket));
  const clients: StreamClient[] = [];
  const client: StreamBench["client"] = async (stage, instance, role, change) => {
    const made = await new StreamClient(stage, instance).connect(path, role, change);
    clients.push(made);
    return made;
  };
  const control = await client("", "control", "control");
  return {
    path,
    server,
    engine,
    control,
    client,
    verdict: async (of, change) =>
      (
        await control.connection.request("verdict", {
          instance: of.instance,
          stage: of.stage,
          charge: true,
          external: false,
          what: "signal SIGABRT",
          ...change,
        })
      ).suspects,
    settled: async () => {
      // Each connection is read in order, but they are not ordered among each other: ask twice.
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        await control.connection.request("stats", {});
      }
    },
    close: async () => {
      for (const open of clients) open.connection.destroy();
      await listener.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
