import type { Socket, SocketHandlers } from "../../src/env/env.ts";
import type { Chance } from "./fake-disk.ts";

class FakeSocket implements Socket {
  peer!: FakeSocket;
  handlers: SocketHandlers | undefined;
  /** What is on its way to this end: bytes, or the end of the connection. */
  readonly incoming: (Buffer | "end")[] = [];
  isClosed = false;
  readonly pendingBytes = 0;

  handle(handlers: SocketHandlers): void {
    this.handlers = handlers;
  }

  write(buffers: readonly Uint8Array[]): boolean {
    if (!this.isClosed && !this.peer.isClosed) this.peer.incoming.push(Buffer.concat(buffers));
    return true;
  }

  end(): void {
    if (!this.isClosed) this.peer.incoming.push("end");
  }

  destroy(): void {
    if (this.isClosed) return;
    this.peer.incoming.push("end");
    this.close();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.incoming.length = 0;
    queueMicrotask(() => this.handlers?.onClose());
  }
}

/** Connections whose bytes arrive when, and in what pieces, chance decides; in order on each of them. */
export class FakeWire {
  readonly #chance: Chance;
  readonly #sockets: FakeSocket[] = [];

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  connect(): { near: Socket; far: Socket } {
    const [near, far] = [new FakeSocket(), new FakeSocket()];
    near.peer = far;
    far.peer = near;
    this.#sockets.push(near, far);
    return { near, far };
  }

  /** Lets one thing arrive somewhere; false when nothing is on its way. */
  step(): boolean {
    const waiting = this.#sockets.filter(
      ({ incoming, handlers }) => incoming.length > 0 && handlers !== undefined,
    );
    const socket = waiting[Math.floor(this.#chance() * waiting.length)];
    if (socket === undefined) return false;
    const next = socket.incoming.shift() as Buffer | "end";
    if (next === "end") {
      socket.close();
      return true;
    }
    const cut = this.#chance() < 0.3 ? Math.floor(this.#chance() * next.length) : next.length;
    if (cut < next.length) socket.incoming.unshift(next.subarray(cut));
    socket.handlers?.onData(next.subarray(0, cut));
    return true;
  }
}
