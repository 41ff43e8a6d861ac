import type { Socket } from "../env/env.ts";
import { ERROR_CODES, type ErrorCode, type ErrorInfo, ensureError, StreamError } from "../errors.ts";
import { encodeMessage, type Message, MessageReader } from "../wire/message.ts";
import {
  type BreakerHead,
  type ConfirmedHead,
  type ControlRequests,
  type DeliveredRange,
  type DeliverHead,
  type FullHead,
  type GrantHead,
  type HelloHead,
  MESSAGE,
  type RefusedHead,
  type ReplyHead,
  type StreamEvent,
  type WelcomeHead,
} from "./protocol.ts";

export interface ConnectionHandlers {
  onDeliver?(ranges: readonly DeliveredRange[], frames: readonly Buffer[]): void;
  onConfirmed?(n: number): void;
  onRefused?(n: number, error: StreamError): void;
  onBreaker?(state: BreakerHead["state"]): void;
  onFull?(stages: readonly string[], isDiskLow: boolean): void;
  onGrant?(grants: GrantHead["grants"]): void;
  onEvent?(event: StreamEvent): void;
  onClose?(error: Error | undefined): void;
}

/** Turns an error that came as data into one that can be thrown. */
export function streamErrorOf(info: ErrorInfo): StreamError {
  const code = (info.code !== undefined && info.code in ERROR_CODES ? info.code : "MR_INTERNAL") as ErrorCode;
  return new StreamError(code, info.message, { details: { remoteStack: info.stack } });
}

/** One connection to the streams process. It is over when it closes: whoever uses it makes a new one. */
export class StreamConnection {
  readonly welcome: WelcomeHead;
  readonly #socket: Socket;
  readonly #requests: Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>;
  #nextRequest = 1;
  #isClosed = false;
  #drainListeners: (() => void)[] = [];

  private constructor(
    socket: Socket,
    welcome: WelcomeHead,
    requests: Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>,
  ) {
    this.#socket = socket;
    this.welcome = welcome;
    this.#requests = requests;
  }

  /** Says hello over a new socket; resolves when it was welcomed, rejects when it was refused. */
  static greet(socket: Socket, hello: HelloHead, handlers: ConnectionHandlers): Promise<StreamConnection> {
    return new Promise((resolve, reject) => {
      const requests = new Map<
        number,
        { resolve: (answer: unknown) => void; reject: (error: Error) => void }
      >();
      let isWelcome = false;
      let connection: StreamConnection | undefined;
      /** What made us give up: a broken message, or an error of a handler. */
      let failure: Error | undefined;
      const onMessage = (message: Message): void => {
        switch (message.type) {
          case MESSAGE.welcome:
            isWelcome = true;
            connection = new StreamConnection(socket, message.head as WelcomeHead, requests);
            resolve(connection);
            return;
          case MESSAGE.deliver:
            handlers.onDeliver?.((message.head as DeliverHead).ranges, message.blobs);
            return;
          case MESSAGE.confirmed:
            handlers.onConfirmed?.((message.head as ConfirmedHead).n);
            return;
          case MESSAGE.refused: {
            const { n, error } = message.head as RefusedHead;
            if (isWelcome) handlers.onRefused?.(n, streamErrorOf(error));
            else reject(streamErrorOf(error));
            return;
          }
          case MESSAGE.reply: {
            const { id, answer, error } = message.head as ReplyHead;
            const request = requests.get(id);
            requests.delete(id);
            if (error === undefined) request?.resolve(answer);
            else request?.reject(streamErrorOf(error));
            return;
          }
          case MESSAGE.breaker:
            handlers.onBreaker?.((message.head as BreakerHead).state);
            return;
          case MESSAGE.full: {
            const { stages, isDiskLow } = message.head as FullHead;
            handlers.onFull?.(stages, isDiskLow === true);
            return;
          }
          case MESSAGE.grant:
            handlers.onGrant?.((message.head as GrantHead).grants);
            return;
          case MESSAGE.event:
            handlers.onEvent?.(message.head as StreamEvent);
        }
      };
      const reader = new MessageReader(onMessage);
      socket.handle({
        onData: (chunk) => {
          try {
            reader.push(chunk);
          } catch (error) {
            failure ??= ensureError(error);
            socket.destroy();
          }
        },
        onDrain: () => {
          if (connection !== undefined) connection.#drained();
        },
        onClose: (socketError) => {
          const error = failure ?? socketError;
          if (connection !== undefined) connection.#isClosed = true;
          const gone = new StreamError(
            "MR_STREAM_CLOSED",
            "streams process: the connection to it was closed",
            {
              cause: error,
            },
          );
          for (const request of requests.values()) request.reject(gone);
          requests.clear();
          if (isWelcome) handlers.onClose?.(error);
          else reject(gone);
        },
      });
      socket.write(encodeMessage(MESSAGE.hello, hello));
    });
  }

  send(type: number, head: unknown, blobs: readonly Uint8Array[] = []): void {
    this.#socket.write(encodeMessage(type, head, blobs));
  }

  request<Verb extends keyof ControlRequests>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]> {
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new StreamError("MR_STREAM_CLOSED", "streams process: the connection to it was closed"));
        return;
      }
      this.#requests.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.send(MESSAGE.request, { id, verb, ask });
    });
  }

  /** Calls once, when all that was sent has left this process. */
  onceDrained(listener: () => void): void {
    if (this.pendingBytes === 0) queueMicrotask(listener);
    else this.#drainListeners.push(listener);
  }

  #drained(): void {
    const listeners = this.#drainListeners;
    this.#drainListeners = [];
    for (const listener of listeners) listener();
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
