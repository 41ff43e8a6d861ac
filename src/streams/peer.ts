import type { Env, Socket } from "../env/env.ts";
import { CorruptionError, errorInfo, MillraceError, ProtocolError, StreamError } from "../errors.ts";
import { encodeMessage, MAX_MESSAGE_BYTES, type Message, MessageReader } from "../wire/message.ts";
import { type Consumer, newConsumer } from "./consumer.ts";
import {
  type ConnectionRole,
  type HelloHead,
  MESSAGE,
  STREAM_PROTOCOL_VERSION,
  type WelcomeHead,
} from "./protocol.ts";

const ROLES: readonly ConnectionRole[] = ["worker", "suspect", "source", "push", "control"];
/** A peer that was refused has this long to read why. */
const REFUSED_LINGER_MS = 1_000;
/** Before its hello a peer is a stranger, and gets no memory to speak of. */
const MAX_HELLO_BYTES = 64 * 1024;

/** The server's end of one connection. */
export class Peer {
  /** Set when it is welcome. */
  hello: HelloHead | undefined;
  consumer: Consumer | undefined;
  hasBeenRefused = false;
  readonly #env: Env;
  readonly #socket: Socket;
  readonly #onClose: () => void;
  #isOpen = true;
  /** Nothing that still comes from it is looked at. */
  #isDismissed = false;

  /** `onMessage` may throw: the peer is dismissed then. */
  constructor(
    env: Env,
    socket: Socket,
    onMessage: (peer: Peer, message: Message) => void,
    onClose: (peer: Peer) => void,
  ) {
    this.#env = env;
    this.#socket = socket;
    this.#onClose = () => {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      onClose(this);
    };
    const reader = new MessageReader((message) => {
      if (this.#isDismissed) return;
      if (typeof message.head !== "object" || message.head === null) {
        throw new CorruptionError("MR_PROTOCOL", "stream connection: a message without a head");
      }
      onMessage(this, message);
      if (this.hello !== undefined) reader.maxBytes = MAX_MESSAGE_BYTES;
    }, MAX_HELLO_BYTES);
    socket.handle({
      onData: (chunk) => {
        if (this.#isDismissed) return;
        try {
          reader.push(chunk);
        } catch (error) {
          // A peer that breaks the protocol cannot be followed any further; nothing it sent is half done.
          this.dismiss(error);
        }
      },
      onClose: this.#onClose,
    });
  }

  welcome(head: WelcomeHead): void {
    this.send(encodeMessage(MESSAGE.welcome, head));
  }

  /** Makes an instance of a stage of it, to whom items may be handed out. */
  consume({ role, instance, callsAtOnce }: HelloHead, passesOn: readonly string[]): Consumer {
    const isSuspect = role === "suspect";
    this.consumer = newConsumer({
      instance,
      role: isSuspect ? "suspect" : "worker",
      passesOn,
      callsAtOnce: callsAtOnce === true && !isSuspect,
      deliver: (ranges, frames) => this.send(encodeMessage(MESSAGE.deliver, { ranges }, frames)),
    });
    return this.consumer;
  }

  send(buffers: readonly Uint8Array[]): void {
    if (this.#isOpen) this.#socket.write(buffers);
  }

  /** Says that transaction `n` was not done, or (0) that the connection is over. */
  refuse(n: number, error: unknown): void {
    this.hasBeenRefused = true;
    const known =
      error instanceof MillraceError
        ? error
        : new StreamError("MR_INTERNAL", String(error), { cause: error });
    this.send(encodeMessage(MESSAGE.refused, { n, error: errorInfo(known) }));
  }

  /** Says why, then closes; what it held is for the verdict on its instance. */
  dismiss(error: unknown): void {
    this.#isDismissed = true;
    if (this.consumer !== undefined) this.consumer.credit = 0;
    this.refuse(0, error);
    this.#socket.end();
    this.#env.timers.after(REFUSED_LINGER_MS, () => this.#socket.destroy(), { background: true });
  }

  /** Closes at once; `onClose` has been called when this returns. */
  drop(): void {
    this.#isDismissed = true;
    this.#onClose();
    this.#socket.destroy();
  }
}

/** Throws ProtocolError when this is not how a peer of this run begins. */
export function checkHello(peer: Peer, hello: HelloHead, secret: string): void {
  if (hello.version !== STREAM_PROTOCOL_VERSION) {
    throw new ProtocolError(
      "MR_PROTOCOL_VERSION",
      `stream connection: it speaks version ${hello.version}, this process ${STREAM_PROTOCOL_VERSION}`,
    );
  }
  if (hello.secret !== secret) {
    throw new ProtocolError("MR_PROTOCOL", "stream connection: its secret is not this run's");
  }
  if (peer.hello !== undefined)
    throw new ProtocolError("MR_PROTOCOL", "stream connection: it said hello twice");
  if (!ROLES.includes(hello.role)) {
    throw new ProtocolError(
      "MR_PROTOCOL",
      `stream connection: no role is called ${JSON.stringify(hello.role)}`,
    );
  }
}
