/**
 * The backplane: what the control plane needs to talk, to remember and to elect. Nothing above this folder
 * knows which implementation it has.
 *
 * Invariants that every implementation keeps:
 * 1. Messages and values are plain JSON data and travel by copy: nobody sees another's later changes.
 * 2. Delivery is asynchronous and in order for each subscription; a handler that throws hurts nobody else.
 * 3. A promise of a write resolves when the write is as durable as the implementation promises.
 * 4. After `close` every call fails with MR_BACKPLANE_CLOSED.
 */

/** Largest message, bytes of its JSON text. */
export const MESSAGE_BYTES_LIMIT = 64 * 1024;
/** Largest value of a key-value bucket, bytes of its JSON text. */
export const VALUE_BYTES_LIMIT = 512 * 1024;
/** How long `request` and `requestMany` wait unless told. */
export const REQUEST_TIMEOUT_MS = 5_000;

export interface Backplane {
  /** The name this client connected with. */
  readonly name: string;
  /**
   * Sends to all who subscribe to the subject at this moment.
   * Throws MR_NOT_ENCODABLE, MR_MESSAGE_TOO_LARGE, MR_BAD_NAME (of the subject), MR_BACKPLANE_CLOSED.
   */
  publish(subject: string, message: unknown): void;
  /**
   * Calls `handler` for every message, published or requested, on a subject that matches: `*` stands for one
   * token, `>` for one or more at the end. Resolves when the subscription is in force. The next message waits
   * for the promise that the handler returns.
   */
  subscribe(pattern: string, handler: MessageHandler): Promise<Subscription>;
  /**
   * Asks and resolves to the first reply. Rejects with MR_UNREACHABLE_PEER at once when nobody responds to the
   * subject, with MR_REQUEST_TIMEOUT when no reply comes in time, and with a RemoteError, code and all, when the
   * responder threw.
   */
  request(subject: string, message: unknown, options?: RequestOptions): Promise<unknown>;
  /** Asks all and resolves to what was answered in time, perhaps nothing. Ends early when no more can come. */
  requestMany(subject: string, message: unknown, options?: RequestManyOptions): Promise<Reply[]>;
  /**
   * Answers requests (not publications). Requests start in order and may overlap. A MillraceError that the
   * handler throws reaches the requester with its code; anything else as MR_INTERNAL, and `onError` here too.
   * Of the responders with the same `queue` one answers each request.
   */
  respond(
    pattern: string,
    handler: RequestHandler,
    options?: { readonly queue?: string },
  ): Promise<Subscription>;
  /** A key-value bucket, made on first use. Names and keys: see `subject.ts`. */
  kv(bucket: string): KeyValue;
  /** A bucket of byte objects by name, made on first use. */
  objects(bucket: string): ObjectBucket;
  /** A lease that at most one holder has at a time. Every call gives a contender of its own. */
  lease(name: string, options: LeaseOptions): Lease;
  /** Removes this client's subscriptions, responders and watches and fails its open requests. Leases run out. */
  close(): Promise<void>;
}

export type MessageHandler = (message: unknown, subject: string) => void | Promise<void>;
export type RequestHandler = (message: unknown, subject: string) => unknown;

export interface Subscription {
  /** Nothing is delivered after it returns. Harmless when repeated. */
  close(): void;
}

export interface RequestOptions {
  /** Default {@link REQUEST_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

export interface RequestManyOptions extends RequestOptions {
  /** Ends with that many replies. */
  readonly max?: number;
}

/** One of many answers: what the responder returned, or the error that it threw. */
export type Reply =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly error: Error };

export interface KeyValueEntry {
  readonly key: string;
  readonly value: unknown;
  /** Strictly increasing over all writes and deletions of the bucket, over restarts too. */
  readonly revision: number;
}

export type KeyValueChange =
  | ({ readonly kind: "put" } & KeyValueEntry)
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

export interface KeyValue {
  get(key: string): Promise<KeyValueEntry | undefined>;
  /** Writes whatever was there; resolves to the new revision. Throws MR_MESSAGE_TOO_LARGE, MR_NOT_ENCODABLE. */
  put(key: string, value: unknown): Promise<number>;
  /** Writes where nothing is; MR_REVISION_CONFLICT otherwise. */
  create(key: string, value: unknown): Promise<number>;
  /** Writes where the entry still has that revision; MR_REVISION_CONFLICT otherwise. */
  update(key: string, value: unknown, revision: number): Promise<number>;
  /** Removes the entry, if it still has that revision when one is given; harmless when there is none. */
  delete(key: string, revision?: number): Promise<void>;
  /** Keys that start with `prefix`, sorted. */
  keys(prefix?: string): Promise<string[]>;
  /**
   * Hands over every entry whose key starts with `prefix`, then every change, in order of revision. Resolves when
   * the entries of the start have been handled, so that the caller knows it has seen what there was.
   */
  watch(onChange: (change: KeyValueChange) => void | Promise<void>, prefix?: string): Promise<Subscription>;
}

export interface ObjectBucket {
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Buffer | undefined>;
  /** Harmless when there is none. */
  delete(name: string): Promise<void>;
  /** Names, sorted. */
  list(): Promise<string[]>;
}

export interface LeaseOptions {
  /** The lease is free this long after the last renewal. Renew every quarter of it. */
  readonly ttlMs: number;
  /** Who holds it, for people. */
  readonly holder: string;
}

/** The part of the ttl, after the last good renewal was sent, in which a holder may act. */
export const LEASE_SAFE_SHARE = 0.6;

export interface Lease {
  /** Takes the lease when it is free, or renews it; the epoch of the acquisition, or undefined when another has it. */
  acquire(): Promise<number | undefined>;
  /** Prolongs it; false when it was lost. */
  renew(): Promise<boolean>;
  /** Gives it up, so that another need not wait for it to run out. */
  release(): Promise<void>;
  /**
   * The epoch, as long as the holder may act on it by its own monotonic clock ({@link LEASE_SAFE_SHARE}); undefined
   * otherwise. Every acquisition has a greater one, over restarts too.
   */
  readonly epoch: number | undefined;
  /** Who has it now. */
  holder(): Promise<string | undefined>;
}
