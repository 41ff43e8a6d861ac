import { chmod, rm } from "node:fs/promises";
import * as net from "node:net";
import type { Net, Socket, SocketHandlers } from "./env.ts";

class NodeSocket implements Socket {
  readonly #socket: net.Socket;
  #handlers: SocketHandlers | undefined;
  #error: Error | undefined;
  #closed = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.pause();
    socket.on("data", (chunk: Buffer) => this.#handlers?.onData(chunk));
    socket.on("drain", () => this.#handlers?.onDrain?.());
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => {
      this.#closed = true;
      this.#handlers?.onClose(this.#error);
    });
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers;
    if (this.#closed) queueMicrotask(() => handlers.onClose(this.#error));
    else this.#socket.resume();
  }

  write(buffers: readonly Uint8Array[]): boolean {
    if (this.#closed || !this.#socket.writable) return true;
    if (buffers.length === 1) return this.#socket.write(buffers[0] as Uint8Array);
    this.#socket.cork();
    let more = true;
    for (const buffer of buffers) more = this.#socket.write(buffer);
    this.#socket.uncork();
    return more;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

export const nodeNet: Net = {
  async listen(path, onConnection) {
    if (process.platform !== "win32") await rm(path, { force: true });
    const open = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      onConnection(new NodeSocket(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
    if (process.platform !== "win32") await chmod(path, 0o600);
    return {
      close: () =>
        new Promise<void>((resolve) => {
          for (const socket of open) socket.destroy();
          server.close(() => resolve());
        }),
    };
  },

  connect(path) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new NodeSocket(socket));
      });
    });
  },
};
