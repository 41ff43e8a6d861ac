import { MESSAGE_BYTES_LIMIT, REQUEST_TIMEOUT_MS, type RequestOptions } from "../backplane/contract.ts";
import { fromFailure } from "../backplane/failure.ts";
import { encodePlain } from "../backplane/plain-data.ts";
import type { Env, Socket } from "../env/env.ts";
import { BackplaneError, ensureError } from "../errors.ts";
import { requestId } from "./client.ts";
import { parseControlMessage, requestIdOf } from "./control-message.ts";
import { decodeReply, encode, type Sender } from "./envelope.ts";
import { LengthPrefixReader, prefixed } from "./length-prefix.ts";
import type { BodyOf, ReplyOf, RequestVerb } from "./messages.ts";

export interface ControlLinkOptions {
  readonly self: Sender;
  /** For commands to an agent. */
  readonly epoch?: number;
  readonly connectTimeoutMs?: number;
}

interface OpenRequest {
  readonly settle: (reply: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** A connection to another process's control socket. */
export class ControlLink {
  readonly #env: Env;
  readonly #path: string;
  readonly #socket: Socket;
  readonly #options: ControlLinkOptions;
  readonly #reader = new LengthPrefixReader();
  readonly #open = new Map<string, OpenRequest>();
  #gone: Error | undefined;

  constructor(env: Env, path: string, socket: Socket, options: ControlLinkOptions) {
    this.#env = env;
    this.#path = path;
    this.#socket = socket;
    this.#options = options;
    socket.handle({
      onData: (chunk) => this.#receive(chunk),
      onClose: (error) => this.#end(controlUnreachable(path, "it closed the connection", error)),
    });
  }

  /**
   * Asks and resolves to the body of the reply. Rejects with the other side's error as a RemoteError, with
   * MR_UNREACHABLE_PEER when the connection is gone, MR_REQUEST_TIMEOUT, and MR_PROTOCOL for what is malformed.
   */
  async request<V extends RequestVerb>(
    verb: V,
    body: BodyOf<V>,
    options: RequestOptions = {},
  ): Promise<ReplyOf<V>> {
    if (this.#gone !== undefined) throw this.#gone;
    const request = requestId(this.#env);
    const message = encode(verb, this.#options.self, body, { request, epoch: this.#options.epoch });
    const text = encodePlain(message, MESSAGE_BYTES_LIMIT, `message ${verb}`);
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    const received = await new Promise<unknown>((settle, fail) => {
      const timer = this.#env.timers.after(timeoutMs, () => {
        this.#open.get(request)?.fail(controlTimedOut(this.#path, `no reply to ${verb}`, timeoutMs));
      });
      const forget = (): void => {
        timer.cancel();
        this.#open.delete(request);
      };
      this.#open.set(request, {
        settle: (reply) => {
          forget();
          settle(reply);
        },
        fail: (error) => {
          forget();
          fail(error);
        },
      });
      this.#socket.write(prefixed(text));
    });
    return decodeReply(verb, received).body;
  }

  /** Fails what is still open and lets go of the connection. */
  close(): void {
    this.#end(controlUnreachable(this.#path, "the link was closed here"));
    this.#socket.end();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk, (body) => this.#take(parseControlMessage(body)));
    } catch (thrown) {
      this.#end(ensureError(thrown));
      this.#socket.destroy();
    }
  }

  #take(received: unknown): void {
    const request = requestIdOf(received);
    const failed = typeof received === "object" && received !== null && "failure" in received;
    if (request === undefined) {
      // It could not tell which request it refuses; what is open will not be answered.
      if (failed) this.#end(fromFailure(received.failure));
      this.#socket.destroy();
      return;
    }
    const open = this.#open.get(request);
    if (failed) open?.fail(fromFailure(received.failure));
    else open?.settle(received);
  }

  #end(error: Error): void {
    this.#gone ??= error;
    for (const { fail } of [...this.#open.values()]) fail(error);
  }
}

export function controlUnreachable(path: string, why: string, cause?: unknown): BackplaneError {
  return new BackplaneError(
    "MR_UNREACHABLE_PEER",
    `control socket ${path}: ${why}; see whether the process is running`,
    {
      cause,
      retryable: true,
    },
  );
}

export function controlTimedOut(path: string, what: string, timeoutMs: number): BackplaneError {
  return new BackplaneError(
    "MR_REQUEST_TIMEOUT",
    `control socket ${path}: ${what} within ${timeoutMs} ms; see whether the process is stuck`,
    { retryable: true, details: { timeoutMs } },
  );
}
