import type { Socket, SocketHandlers, Timers } from "./env.ts";

class LoopbackSocket implements Socket {
  peer: LoopbackSocket | undefined;
  readonly #timers: Timers;
  #handlers: SocketHandlers | undefined;
  #inbox: Buffer[] = [];
  #scheduled = false;
  #closed = false;
  #ending = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers;
    this.#schedule();
  }

  write(buffers: readonly Uint8Array[]): boolean {
    if (!this.#closed && !this.#ending) this.peer?.receive(buffers);
    return true;
  }

  receive(buffers: readonly Uint8Array[]): void {
    for (const { buffer, byteOffset, byteLength } of buffers)
      this.#inbox.push(Buffer.from(buffer, byteOffset, byteLength));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#handlers === undefined) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      const chunks = this.#inbox;
      this.#inbox = [];
      for (const chunk of chunks) if (!this.#closed) this.#handlers?.onData(chunk);
      if (this.#ending && !this.#closed) {
        this.#closed = true;
        this.#handlers?.onClose();
      }
    });
  }

  readonly pendingBytes = 0;

  end(): void {
    this.peer?.close();
    this.close();
  }

  destroy(): void {
    this.#inbox = [];
    this.end();
  }

  /** What has arrived is still handed over. */
  close(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#schedule();
  }
}

/** Two sockets in one process, each the other's peer: what is written to one arrives at the other, later. */
export function loopbackPair(timers: Timers): [Socket, Socket] {
  const a = new LoopbackSocket(timers);
  const b = new LoopbackSocket(timers);
  a.peer = b;
  b.peer = a;
  return [a, b];
}
