import type { Env, Socket } from "../env/env.ts";
import { CorruptionError, errorInfo, MillraceError, ProtocolError, StreamError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { encodeMessage, MAX_MESSAGE_BYTES, type Message, MessageReader } from "../wire/message.ts";
import { Claims } from "./claims.ts";
import type { Settlement, StreamEngine, Transaction } from "./contract.ts";
import { answerControl } from "./control.ts";
import { type Consumer, Dispatcher } from "./dispatcher.ts";
import {
  type ConnectionRole,
  type CreditHead,
  type HelloHead,
  MESSAGE,
  type RequestHead,
  type StartedHead,
  STREAM_PROTOCOL_VERSION,
  type StreamEvent,
  type StreamReport,
  type TransactHead,
  type Verdict,
  type WelcomeHead,
} from "./protocol.ts";
import { readTransaction } from "./read-transaction.ts";

export interface StreamServerOptions {
  readonly boot: string;
  readonly secret: string;
  readonly damage?: readonly string[];
}

interface Connection {
  readonly socket: Socket;
  hello: HelloHead | undefined;
  consumer: Consumer | undefined;
  isOpen: boolean;
  /** Nothing that still comes from it is looked at. */
  isRefused: boolean;
}

const ROLES: readonly ConnectionRole[] = ["worker", "suspect", "source", "control"];
/** A peer that was refused has this long to read why. */
const REFUSED_LINGER_MS = 1_000;
/** Before its hello a peer is a stranger, and gets no memory to speak of. */
const MAX_HELLO_BYTES = 64 * 1024;

/**
 * The broker that instances see, whatever engine is behind it. Owns the connections; a `Dispatcher` a stream
 * owns who works on what; `Claims` judges what a dead instance leaves behind; the engine owns what is durable.
 */
export class StreamServer {
  readonly engine: StreamEngine;
  readonly options: StreamServerOptions;
  readonly dispatchers = new Map<string, Dispatcher>();
  readonly #env: Env;
  readonly #claims: Claims;
  readonly #connections = new Set<Connection>();
  readonly #sources = new Map<string, Connection>();
  #failed = false;

  constructor(env: Env, engine: StreamEngine, options: StreamServerOptions) {
    this.#env = env;
    this.engine = engine;
    this.options = options;
    this.#claims = new Claims(env, engine, (stream) => this.dispatchers.get(stream));
    engine.onQuarantine((stage, _frame, items, problem) => {
      this.#event({ kind: "quarantined", stage, items, problem });
      this.#checkEmpty(stage);
    });
  }

  async open(streams: readonly string[]): Promise<void> {
    for (const stream of streams) {
      if (this.dispatchers.has(stream)) continue;
      await this.engine.open(stream);
      const dispatcher = new Dispatcher(
        stream,
        (onDelivery) => this.engine.consume(stream, onDelivery),
        (count) => this.#event({ kind: "suspects", stage: stream, count }),
      );
      this.dispatchers.set(stream, dispatcher);
    }
  }

  /** Takes a new connection. */
  accept(socket: Socket): void {
    const connection: Connection = { socket, hello: undefined, consumer: undefined, isOpen: true, isRefused: false };
    this.#connections.add(connection);
    const reader = new MessageReader(
      (message) => {
        if (connection.isRefused) return;
        this.#onMessage(connection, message);
        if (connection.hello !== undefined) reader.maxBytes = MAX_MESSAGE_BYTES;
      },
      MAX_HELLO_BYTES,
    );
    socket.handle({
      onData: (chunk) => {
        if (connection.isRefused) return;
        try {
          reader.push(chunk);
        } catch (error) {
          // A peer that breaks the protocol cannot be followed any further; nothing it sent is half done.
          this.#dismiss(connection, error);
        }
      },
      onClose: () => this.#onClose(connection),
    });
  }

  /** Says why, then closes; what it held is for the verdict on its instance. */
  #dismiss(connection: Connection, error: unknown): void {
    connection.isRefused = true;
    this.#refuse(connection, 0, error);
    connection.socket.end();
    this.#env.timers.after(REFUSED_LINGER_MS, () => connection.socket.destroy(), { background: true });
  }

  #onClose(connection: Connection): void {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    this.#connections.delete(connection);
    const { hello, consumer } = connection;
    if (hello === undefined) return;
    if (this.#sources.get(hello.stage) === connection) this.#sources.delete(hello.stage);
    if (consumer !== undefined) {
      this.dispatchers.get(hello.stage)?.consumers.delete(consumer);
      this.#claims.closed(hello.stage, consumer);
    } else this.#claims.closedWithoutClaims(hello.instance);
  }

  #onMessage(connection: Connection, message: Message): void {
    const { hello } = connection;
    if (typeof message.head !== "object" || message.head === null) {
      throw new CorruptionError("MR_PROTOCOL", "stream connection: a message without a head");
    }
    if (message.type === MESSAGE.hello) {
      this.#onHello(connection, message.head as HelloHead);
      return;
    }
    if (hello === undefined) throw new CorruptionError("MR_PROTOCOL", "stream connection: it did not say hello first");
    switch (message.type) {
      case MESSAGE.credit: {
        const { items } = message.head as CreditHead;
        if (!Number.isSafeInteger(items) || items < 0) {
          throw new CorruptionError("MR_PROTOCOL", `stream connection: a credit of ${items} items`);
        }
        if (connection.consumer === undefined) return;
        connection.consumer.credit += items;
        this.dispatchers.get(hello.stage)?.dispatch();
        return;
      }
      case MESSAGE.started:
        this.#onStarted(connection, message.head as StartedHead);
        return;
      case MESSAGE.transact:
        void this.#onTransact(connection, message.head as TransactHead, message.blobs);
        return;
      case MESSAGE.request:
        void this.#onRequest(connection, message.head as RequestHead);
        return;
      default:
        throw new CorruptionError("MR_PROTOCOL", `stream connection: no message has the type ${message.type}`);
    }
  }

  #onHello(connection: Connection, hello: HelloHead): void {
    if (hello.version !== STREAM_PROTOCOL_VERSION) {
      throw new ProtocolError(
        "MR_PROTOCOL_VERSION",
        `stream connection: it speaks version ${hello.version}, this process ${STREAM_PROTOCOL_VERSION}`,
      );
    }
    if (hello.secret !== this.options.secret) {
      throw new ProtocolError("MR_PROTOCOL", "stream connection: its secret is not this run's");
    }
    if (connection.hello !== undefined) {
      throw new ProtocolError("MR_PROTOCOL", "stream connection: it said hello twice");
    }
    if (!ROLES.includes(hello.role)) {
      throw new ProtocolError("MR_PROTOCOL", `stream connection: no role is called ${JSON.stringify(hello.role)}`);
    }
    if (hello.role === "control") {
      connection.hello = hello;
      this.#send(connection, encodeMessage(MESSAGE.welcome, { boot: this.options.boot } satisfies WelcomeHead));
      return;
    }
    if (hello.role === "source") {
      void this.#welcomeSource(connection, hello);
      return;
    }
    const dispatcher = this.dispatchers.get(hello.stage);
    if (dispatcher === undefined) {
      throw new StreamError("MR_STREAM_UNKNOWN", `stream ${hello.stage}: it was not opened`);
    }
    connection.hello = hello;
    // The same instance, back after its connection broke: it has let go of what it held, also when the end of
    // the old connection has not been seen yet.
    for (const other of this.#connections) {
      if (other === connection || other.hello?.instance !== hello.instance || other.hello.stage !== hello.stage) continue;
      other.isRefused = true;
      this.#onClose(other);
      other.socket.destroy();
    }
    this.#claims.returned(hello.instance);
    const consumer: Consumer = {
      instance: hello.instance,
      role: hello.role,
      credit: 0,
      claims: new Map(),
      started: new Map(),
      deliver: (ranges, frames) => {
        this.#send(connection, encodeMessage(MESSAGE.deliver, { ranges }, frames));
      },
    };
    connection.consumer = consumer;
    dispatcher.consumers.add(consumer);
    if (hello.lost !== undefined && hello.lost > 0) this.#countLost(hello.stage, hello.lost);
    this.#send(connection, encodeMessage(MESSAGE.welcome, { boot: this.options.boot } satisfies WelcomeHead));
  }

  #countLost(stage: string, items: number): void {
    void this.#commit({
      settlements: [],
      appends: [],
      records: [],
      marks: [],
      counts: [[stage, "repeated:streams-restarted", items]],
    }).catch(() => undefined);
  }

  async #welcomeSource(connection: Connection, hello: HelloHead): Promise<void> {
    const rival = this.#sources.get(hello.stage);
    if (rival !== undefined && rival !== connection && rival.hello?.instance !== hello.instance) {
      this.#dismiss(
        connection,
        new StreamError("MR_CLAIM_LOST", `source ${hello.stage}: another instance of it is connected`),
      );
      return;
    }
    connection.hello = hello;
    if (rival !== undefined) {
      rival.isRefused = true;
      this.#onClose(rival);
      rival.socket.destroy();
    }
    this.#sources.set(hello.stage, connection);
    let sourceState: Buffer | undefined;
    try {
      sourceState = await this.engine.records.get(recordKeys.sourceState(hello.stage));
    } catch (error) {
      this.#dismiss(connection, error);
      return;
    }
    this.#send(
      connection,
      encodeMessage(MESSAGE.welcome, {
        boot: this.options.boot,
        ...(sourceState === undefined ? {} : { sourceState }),
      } satisfies WelcomeHead),
    );
  }

  #onStarted(connection: Connection, head: StartedHead): void {
    const consumer = connection.consumer;
    if (consumer === undefined) return;
    if (!Array.isArray(head.ranges) || !head.ranges.every(Number.isSafeInteger)) {
      throw new CorruptionError("MR_PROTOCOL", "stream connection: ranges that are none");
    }
    for (let i = 0; i + 2 < head.ranges.length; i += 3) {
      const frame = head.ranges[i] as number;
      this.#claims.started(consumer, frame, head.ranges[i + 1] as number, head.ranges[i + 2] as number);
    }
  }

  async #onTransact(connection: Connection, head: TransactHead, blobs: readonly Buffer[]): Promise<void> {
    const hello = connection.hello as HelloHead;
    const dispatcher = this.dispatchers.get(hello.stage);
    let settlements: readonly Settlement[] = [];
    let transaction: Transaction;
    try {
      if (this.#failed) throw new StreamError("MR_STREAM_CLOSED", "streams: the engine has failed");
      transaction = readTransaction(hello.stage, head, blobs, (stream) => this.dispatchers.has(stream));
      settlements = transaction.settlements;
      const { consumer } = connection;
      if (settlements.length > 0) {
        if (consumer === undefined || dispatcher === undefined || !dispatcher.holds(consumer, settlements)) {
          throw new StreamError(
            "MR_CLAIM_LOST",
            `stage ${hello.stage}, instance ${hello.instance}: it settles items that it does not hold; they are elsewhere by now`,
          );
        }
        // n.b. taken away before the engine has confirmed: should the instance die meanwhile, they are not redelivered.
        dispatcher.unclaim(consumer, settlements);
      }
    } catch (error) {
      this.#refuse(connection, head.n, error);
      return;
    }
    try {
      await this.#commit(transaction);
    } catch (error) {
      for (const { frame, from, to } of settlements) dispatcher?.putBack(frame, from, to);
      this.#refuse(connection, head.n, error);
      this.#fail(error);
      return;
    }
    dispatcher?.settled(settlements);
    this.#send(connection, encodeMessage(MESSAGE.confirmed, { n: head.n }));
    if (settlements.length > 0) {
      dispatcher?.dispatch();
      this.#checkEmpty(hello.stage);
    }
  }

  async #commit(transaction: Transaction): Promise<void> {
    await this.engine.transact(transaction);
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#event({ kind: "engine-failed", error: errorInfo(error) });
  }

  #checkEmpty(stage: string): void {
    if (this.engine.stats(stage).unsettled === 0) this.#event({ kind: "empty", stage });
  }

  async #onRequest(connection: Connection, request: RequestHead): Promise<void> {
    let reply: { id: number; answer?: unknown; error?: unknown };
    try {
      if (connection.hello?.role !== "control") {
        throw new ProtocolError("MR_PROTOCOL", "stream connection: only a control connection may ask");
      }
      reply = { id: request.id, answer: await answerControl(this, request) };
    } catch (error) {
      reply = { id: request.id, error: errorInfo(error) };
    }
    this.#send(connection, encodeMessage(MESSAGE.reply, reply));
  }

  /** Judges what an instance leaves behind, once its connection is closed as well. */
  verdict(verdict: Verdict): Promise<number> {
    const isConnected = [...this.#connections].some((c) => c.hello?.instance === verdict.instance);
    return this.#claims.judge(verdict, isConnected);
  }

  report(): StreamReport[] {
    return [...this.dispatchers].map(([name, dispatcher]) => ({
      name,
      ...this.engine.stats(name),
      claimed: dispatcher.claimed,
      suspects: dispatcher.suspects,
    }));
  }

  #event(event: StreamEvent): void {
    for (const connection of this.#connections) {
      if (connection.hello?.role === "control") this.#send(connection, encodeMessage(MESSAGE.event, event));
    }
  }

  #send(connection: Connection, buffers: readonly Uint8Array[]): void {
    if (connection.isOpen) connection.socket.write(buffers);
  }

  #refuse(connection: Connection, n: number, error: unknown): void {
    const known = error instanceof MillraceError ? error : new StreamError("MR_INTERNAL", String(error), { cause: error });
    this.#send(connection, encodeMessage(MESSAGE.refused, { n, error: errorInfo(known) }));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.socket.destroy();
    for (const dispatcher of this.dispatchers.values()) dispatcher.close();
    await this.engine.close();
  }

  get env(): Env {
    return this.#env;
  }
}
