import { MESSAGE_BYTES_LIMIT } from "../backplane/contract.ts";
import { toFailure } from "../backplane/failure.ts";
import { encodePlain } from "../backplane/plain-data.ts";
import type { Env, Socket, Timer } from "../env/env.ts";
import { ensureError, MillraceError, ProtocolError } from "../errors.ts";
import { parseControlMessage, requestIdOf } from "./control-message.ts";
import { type AnyMessage, decodeAny, encodeReply, type Sender } from "./envelope.ts";
import { LengthPrefixReader, prefixed } from "./length-prefix.ts";
import { isRequestVerb, MMOP_VERSION, type ReplyOf, type RequestVerb } from "./messages.ts";

/** What is received and not handed over, or sent and not taken, by a peer that may be ill. */
const REQUESTS_LIMIT = 64;
const PENDING_BYTES_LIMIT = 1024 * 1024;
/** A message must be complete this long after its first byte. */
const MESSAGE_TIMEOUT_MS = 10_000;
/** How long a connection that was refused may take to read why. */
const LINGER_MS = 1_000;

/** Carries out a request: the body of its reply, or a MillraceError. `MmopServer.dispatch` is one. */
export type ControlHandler = (
  message: AnyMessage<RequestVerb>,
) => ReplyOf<RequestVerb> | Promise<ReplyOf<RequestVerb>>;

export interface ControlServerOptions {
  readonly self: Sender;
  /** Gets what handlers throw that is no MillraceError. */
  readonly onError?: (error: Error) => void;
  readonly messageTimeoutMs?: number;
}

/** One caller of a control socket. */
export class ControlConnection {
  readonly #env: Env;
  readonly #socket: Socket;
  readonly #handler: ControlHandler;
  readonly #options: ControlServerOptions;
  readonly #reader = new LengthPrefixReader();
  #deadline: Timer | undefined;
  #requests = 0;
  #over = false;

  constructor(env: Env, socket: Socket, handler: ControlHandler, options: ControlServerOptions) {
    this.#env = env;
    this.#socket = socket;
    this.#handler = handler;
    this.#options = options;
    socket.handle({
      onData: (chunk) => this.#receive(chunk),
      onClose: () => {
        this.#over = true;
        this.#deadline?.cancel();
      },
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#over) return;
    let completed = false;
    try {
      this.#reader.push(chunk, (body) => {
        completed = true;
        void this.#answer(body);
      });
      this.#watchMessage(completed);
    } catch (thrown) {
      this.#refuse(undefined, thrown);
      this.#over = true;
      this.#socket.end();
      // It may go on sending and never close.
      this.#deadline?.cancel();
      this.#deadline = this.#destroyAfter(LINGER_MS);
    }
  }

  /** Its time begins with a message's first byte; bytes that trickle in do not prolong it. */
  #watchMessage(completed: boolean): void {
    if (completed || !this.#reader.isMidway) {
      this.#deadline?.cancel();
      this.#deadline = undefined;
    }
    if (this.#reader.isMidway)
      this.#deadline ??= this.#destroyAfter(this.#options.messageTimeoutMs ?? MESSAGE_TIMEOUT_MS);
  }

  #destroyAfter(ms: number): Timer {
    return this.#env.timers.after(ms, () => this.#socket.destroy(), { background: true });
  }

  async #answer(body: Buffer): Promise<void> {
    let request: string | undefined;
    this.#requests++;
    try {
      const received = parseControlMessage(body);
      request = requestIdOf(received);
      if (this.#requests > REQUESTS_LIMIT) throw tooMany();
      const message = decodeAny(received);
      if (!isRequest(message)) throw notARequest(message.verb);
      const reply = await this.#handler(message);
      this.#send(encodeReply(message.verb, this.#options.self, message.request, reply));
    } catch (thrown) {
      if (!(thrown instanceof MillraceError)) this.#options.onError?.(ensureError(thrown));
      this.#refuse(request, thrown);
    } finally {
      this.#requests--;
    }
  }

  #refuse(request: string | undefined, thrown: unknown): void {
    const id = request === undefined ? {} : { request };
    this.#send({ mmop: MMOP_VERSION, from: this.#options.self, ...id, failure: toFailure(thrown) });
  }

  #send(message: unknown): void {
    if (this.#over) return;
    this.#socket.write(prefixed(encodePlain(message, MESSAGE_BYTES_LIMIT, "reply on the control socket")));
    // A caller that does not read its replies must not fill our memory.
    if (this.#socket.pendingBytes > PENDING_BYTES_LIMIT) this.#socket.destroy();
  }
}

function isRequest(message: AnyMessage): message is AnyMessage<RequestVerb> {
  return isRequestVerb(message.verb);
}

function notARequest(verb: string): ProtocolError {
  return new ProtocolError(
    "MR_PROTOCOL",
    `field verb: ${verb} is no request; publish events on a backplane`,
    {
      details: { field: "verb" },
    },
  );
}

function tooMany(): ProtocolError {
  return new ProtocolError(
    "MR_BACKPRESSURE",
    `control socket: more than ${REQUESTS_LIMIT} requests at once; wait for replies`,
    { retryable: true },
  );
}
