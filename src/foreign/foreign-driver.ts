import type { Env } from "../env/env.ts";

/**
 * What is needed to join queues that other programs own: a driver is one file a broker, registered in drivers.ts. It
 * connects once and never again by itself - steady-link.ts does that -, and its errors are those of engine-error.ts:
 * MR_ENGINE_UNREACHABLE and MR_ENGINE_FULL are waited out, with any other the source's setup or the sink's item fails.
 */
export interface ForeignDriver {
  reader(env: Env, url: string, options: ForeignSettings): ForeignSide<ForeignReader>;
  writer(env: Env, url: string, options: ForeignSettings): ForeignSide<ForeignWriter>;
}

/** What the user said, names checked, values not; and what belongs to it. */
export interface ForeignSettings {
  readonly options: Readonly<Record<string, unknown>>;
  /** The name of the pipeline and that of the node: "orders" and "in". The same in every life of a run. */
  readonly pipeline: string;
  readonly node: string;
  /** A reader: so many messages may be in our hands, not acknowledged. */
  readonly prefetch: number;
  /** In place of what the URL says. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
}

/** One direction of a driver. Making it checks the options: throws DefinitionError MR_BAD_OPTION, and connects nothing. */
export interface ForeignSide<Link extends ForeignLink> {
  /** For people, without a password. */
  readonly address: string;
  /** One attempt. `onMessage` is for readers. */
  connect(events: LinkEvents, timeoutMs: number): Promise<Link>;
}

export interface LinkEvents {
  /** The connection is gone: called once; nothing comes any more. */
  lost(problem: Error): void;
  /** For people: something that happens, and of which nobody else tells. */
  notice?(text: string): void;
  /** A message has come. */
  message(message: ForeignMessage): void;
}

/** A connection to a broker. */
export interface ForeignLink {
  /** For people: "Redis 7.0.15 at 127.0.0.1:6379". */
  readonly server: string;
  close(): Promise<void>;
}

/** Hands out at most `prefetch` messages that are not acknowledged. */
export interface ForeignReader extends ForeignLink {
  /** No more messages are handed out; those in our hands can still be acknowledged. */
  pause(): void;
  /** Whether nothing is to come beyond the `kept` messages that stay in our hands. Where nobody can know: false. */
  isEmpty(kept: number): Promise<boolean>;
}

export interface ForeignMessage {
  /** The broker's own name for it, the same when it is handed out again; undefined where it has none. */
  readonly id: string | undefined;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Why it cannot be decoded, whatever the codec; `body` is then what came. */
  readonly problem?: string;
  /** It is durable with us: the broker can forget it. Never throws. */
  ack(): void;
}

export interface ForeignWriter extends ForeignLink {
  /** The largest body that it takes. */
  readonly maxBodyBytes: number;
  /** Resolves when the broker has confirmed it. */
  send(message: OutgoingMessage): Promise<void>;
}

export interface OutgoingMessage {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** The item: options that are functions - a routing key, a subject - are called with it. */
  readonly item: unknown;
  /** The same when the item is sent again. */
  readonly id: string;
}
