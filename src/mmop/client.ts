import type { Backplane, RequestOptions } from "../backplane/contract.ts";
import type { Env } from "../env/env.ts";
import { ProtocolError } from "../errors.ts";
import { decodeReply, encode, type Sender } from "./envelope.ts";
import type { BodyOf, EventVerb, ReplyOf, RequestVerb } from "./messages.ts";
import { isAgentVerb } from "./messages.ts";
import { type COORDINATOR, eventSubject, requestSubject } from "./subjects.ts";

/** Whom to ask: an agent by name, or whoever is the coordinator. */
export type TargetOf<V extends RequestVerb> = V extends `agent.${string}` ? string : typeof COORDINATOR;

export interface MmopClientOptions {
  readonly env: Env;
  readonly self: Sender;
  /** The epoch of the coordinator's lease, for commands; undefined when it has none and must not command. */
  readonly epoch?: () => number | undefined;
}

/** Sends MMOP's messages over a backplane. */
export class MmopClient {
  readonly #backplane: Backplane;
  readonly #options: MmopClientOptions;

  constructor(backplane: Backplane, options: MmopClientOptions) {
    this.#backplane = backplane;
    this.#options = options;
  }

  /**
   * Asks `target` and resolves to the body of its reply. Rejects with the other side's error as a RemoteError
   * (codes: see the message), with MR_UNREACHABLE_PEER, MR_REQUEST_TIMEOUT, MR_PROTOCOL for a body or reply that is
   * malformed, and MR_STALE_EPOCH for a command without an epoch to give it under.
   */
  async request<V extends RequestVerb>(
    verb: V,
    target: TargetOf<V>,
    body: BodyOf<V>,
    options: RequestOptions = {},
  ): Promise<ReplyOf<V>> {
    const { env, self } = this.#options;
    const epoch = isAgentVerb(verb) ? this.#epoch(verb) : undefined;
    const request = requestId(env);
    const message = encode(verb, self, body, { request, epoch });
    const reply = decodeReply(
      verb,
      await this.#backplane.request(requestSubject(verb, target), message, options),
    );
    if (reply.request === request) return reply.body;
    throw new ProtocolError(
      "MR_PROTOCOL",
      `field request: the reply of ${reply.from.name} to ${verb} is not to this request; run the same version of millrace on both sides`,
      { details: { field: "request" } },
    );
  }

  /** Tells whoever listens. Throws MR_PROTOCOL for a malformed body, and what {@link Backplane.publish} throws. */
  publish<V extends EventVerb>(verb: V, body: BodyOf<V>): void {
    const { self } = this.#options;
    this.#backplane.publish(eventSubject(verb, self.name), encode(verb, self, body));
  }

  #epoch(verb: RequestVerb): number {
    const epoch = this.#options.epoch?.();
    if (epoch !== undefined) return epoch;
    throw new ProtocolError(
      "MR_STALE_EPOCH",
      `command ${verb}: ${this.#options.self.name} holds no coordinator lease; acquire it first`,
    );
  }
}

/** A new id of a request. */
export function requestId(env: Env): string {
  return env.random.bytes(12).toString("base64url");
}
