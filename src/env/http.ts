/** A small HTTP server: what sources that take items by requests need of one. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly url: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface HttpServer {
  /** The one it listens on: another than was asked for where that was 0. */
  readonly port: number;
  /** Takes no more connections; resolves when the requests that are there have been answered. */
  close(): Promise<void>;
}
