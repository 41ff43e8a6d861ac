/**
 * The world as the rest of millrace may see it. Everything that is not a pure function of its input - time,
 * chance, disk, sockets, processes - is reached through an `Env`, so that a simulator can run the same code
 * with a virtual clock, lossy sockets and a disk that forgets.
 *
 * Only `env/` (and the composition roots `cli/` and `testing/`) may import node:fs, node:net,
 * node:child_process, node:worker_threads or node:os, or use the global timers, `Date.now` and `Math.random`.
 */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly disk: Disk;
  readonly net: Net;
  readonly processes: Processes;
  readonly host: Host;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and records only: nothing is decided from it. */
  now(): number;
  /** Monotonic milliseconds with a fraction; claims, time-outs and back-off are measured with it. */
  mono(): number;
}

export interface Random {
  /** A number in [0, 1). */
  float(): number;
  bytes(length: number): Buffer;
}

export interface Timer {
  /** Stops it; harmless when it has fired. */
  cancel(): void;
}

export interface Timers {
  /** Calls once after `ms`. `background` timers do not keep the process alive. */
  after(ms: number, fire: () => void, options?: { background?: boolean }): Timer;
  every(ms: number, fire: () => void, options?: { background?: boolean }): Timer;
  /** Calls after the I/O that is ready has been handled. */
  soon(fire: () => void): void;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface FileInfo {
  readonly size: number;
  readonly isDirectory: boolean;
  readonly modifiedMs: number;
}

/** An open file with positional, asynchronous access. */
export interface DiskFile {
  /** Writes all buffers at `position`, in order, as one logical write. */
  writev(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Reads up to `length` bytes; a shorter result means the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  /** Resolves when what was written is on stable storage. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface Disk {
  /** `create`: must not exist; `readWrite`: must exist. */
  open(path: string, mode: "create" | "readWrite" | "read"): Promise<DiskFile>;
  readFile(path: string): Promise<Buffer>;
  /** Writes a new file beside `path`, syncs it and renames it over `path`: all of it or nothing. */
  replaceFile(path: string, content: string | Uint8Array, options?: { mode?: number }): Promise<void>;
  /** Fails with EEXIST when `path` exists; the file appears with its whole content. */
  createExclusive(path: string, content: string, options?: { mode?: number }): Promise<void>;
  list(directory: string): Promise<string[]>;
  /** Undefined when there is nothing. Follows symbolic links, unless it is the link that is asked for. */
  info(path: string, options?: { ofLink?: boolean }): Promise<FileInfo | undefined>;
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that an unprivileged writer may still use. */
  freeBytes(path: string): Promise<number>;
  /** The size of the file system that `path` is on. */
  totalBytes(path: string): Promise<number>;
  temporaryDirectory(): string;
}

/** A connected byte stream. Events arrive through the handlers given at creation or by `handle`. */
export interface Socket {
  handle(handlers: SocketHandlers): void;
  /** Takes all buffers in order; false when the peer is slow and `onDrain` will tell when it is not. */
  write(buffers: readonly Uint8Array[]): boolean;
  /** Bytes accepted by `write` and not yet taken by the system. */
  readonly pendingBytes: number;
  /** Sends what is pending, then closes. */
  end(): void;
  destroy(): void;
}

export interface SocketHandlers {
  onData(chunk: Buffer): void;
  onClose(error?: Error): void;
  onDrain?(): void;
}

export interface Net {
  /** Listens on a unix socket (a named pipe on Windows) that only this user may open. */
  listen(path: string, onConnection: (socket: Socket) => void): Promise<{ close(): Promise<void> }>;
  connect(path: string): Promise<Socket>;
}

export interface SpawnOptions {
  /** Path of the program's JavaScript file. */
  readonly module: string;
  readonly args?: readonly string[];
  /** Flags for Node itself. */
  readonly nodeFlags?: readonly string[];
  /** Added to, or (undefined) taken from, the inherited environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly onOutput?: (stream: "stdout" | "stderr", line: string) => void;
  /** Lines that the child's watchdog thread writes; it runs beside whatever blocks the main thread. */
  readonly onWatchdog?: (line: string) => void;
  readonly onMessage?: (message: unknown) => void;
  /** Called once, after the process has ended and its output has been read. */
  readonly onExit: (exit: { code: number | null; signal: string | null }) => void;
}

export interface ChildProcess {
  readonly pid: number;
  /** False when the channel is gone. */
  send(message: unknown): boolean;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** The channel to the process that spawned this one. */
export interface Parent {
  /** `onSent` is called when the message has left this process, or cannot be sent any more. */
  send(message: unknown, onSent?: () => void): void;
  onMessage(handler: (message: unknown) => void): void;
  /** Called when the parent is gone. */
  onGone(handler: () => void): void;
}

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time as the system gives it: a pid alone may have been reused. Empty where it cannot be known. */
  readonly startTime: string;
}

export interface Processes {
  /** Starts a Node process with an IPC channel. Rejects when it cannot be started. */
  spawn(options: SpawnOptions): Promise<ChildProcess>;
  /** The parent's channel, when this process was spawned with one. */
  parent(): Parent | undefined;
  self(): ProcessIdentity;
  isAlive(process: ProcessIdentity): boolean;
  /**
   * Takes no notice of SIGINT and SIGTERM: a terminal and a service manager send them to every process of a
   * group, and only the agent knows how to end its children in order.
   */
  ignoreStopSignals(): void;
  /** Ends this process at once, with that exit code. */
  exit(code: number): never;
}

export interface Host {
  readonly cores: number;
  readonly memoryBytes: number;
  readonly user: string;
  readonly platform: string;
  readonly nodeVersion: string;
  /** A variable of the environment; undefined where it is not set, or empty. */
  variable(name: string): string | undefined;
}
