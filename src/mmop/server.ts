import type { Backplane, Subscription } from "../backplane/contract.ts";
import { ensureError, ProtocolError } from "../errors.ts";
import {
  type AnyMessage,
  checkVersion,
  decode,
  encodeReply,
  type Message,
  type ReplyMessage,
  type Sender,
  unknownVerb,
} from "./envelope.ts";
import {
  type BodyOf,
  isAgentVerb,
  isRequestVerb,
  isVerb,
  type ReplyOf,
  type RequestVerb,
  type Verb,
} from "./messages.ts";
import {
  agentRequests,
  COORDINATOR_QUEUE,
  COORDINATOR_REQUESTS,
  EVENTS,
  HEARTBEATS,
  readSubject,
} from "./subjects.ts";

/** Handles one verb: a request's handler gives the body of the reply, or throws a MillraceError. */
export type Handler<V extends Verb> = (
  body: BodyOf<V>,
  message: Message<V>,
) => V extends RequestVerb ? ReplyOf<V> | Promise<ReplyOf<V>> : void | Promise<void>;

export interface MmopServerOptions {
  readonly self: Sender;
  /** Gets events that were malformed, and what handlers of events throw. Nothing else happens: the rest goes on. */
  readonly onError: (error: Error) => void;
}

type AnyHandler = (body: unknown, message: unknown) => unknown;

/**
 * Takes MMOP's messages from a backplane: register handlers with `on`, then `listen` once. Requests that are
 * malformed, of an unknown version or verb, or under an epoch older than the newest seen are refused with a code.
 */
export class MmopServer {
  readonly #backplane: Backplane;
  readonly #options: MmopServerOptions;
  readonly #handlers = new Map<Verb, AnyHandler>();
  readonly #subscriptions: Subscription[] = [];
  #epoch = 0;
  #listening = false;

  constructor(backplane: Backplane, options: MmopServerOptions) {
    this.#backplane = backplane;
    this.#options = options;
  }

  /** The newest epoch that a command was given under; 0 before the first. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Sets the handler of a verb; before `listen`. */
  on<V extends Verb>(verb: V, handler: Handler<V>): this {
    if (this.#listening || this.#handlers.has(verb)) {
      throw new ProtocolError(
        "MR_INTERNAL",
        `handler of ${verb}: set too late or twice; set each once, before listen()`,
      );
    }
    this.#handlers.set(verb, handler as AnyHandler);
    return this;
  }

  /** Resolves when all that `on` named is received. Events of all types come in the order they were sent. */
  async listen(): Promise<void> {
    this.#listening = true;
    const verbs = [...this.#handlers.keys()];
    const answer = (received: unknown, subject: string) => this.#answer(received, readSubject(subject).verb);
    const take = (received: unknown, subject: string) => this.#takeEvent(received, subject);
    if (verbs.some((verb) => verb.startsWith("agent."))) {
      await this.#keep(this.#backplane.respond(agentRequests(this.#options.self.name), answer));
    }
    if (verbs.some((verb) => verb.startsWith("coord."))) {
      await this.#keep(this.#backplane.respond(COORDINATOR_REQUESTS, answer, { queue: COORDINATOR_QUEUE }));
    }
    if (verbs.includes("hb")) await this.#keep(this.#backplane.subscribe(HEARTBEATS, take));
    if (verbs.some((verb) => verb.startsWith("evt.")))
      await this.#keep(this.#backplane.subscribe(EVENTS, take));
  }

  /** Receives nothing more. */
  close(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.close();
  }

  /**
   * Carries out a request that came another way (a control socket), as if it had come over the backplane. Throws
   * MR_STALE_EPOCH, MR_PROTOCOL where the verb is not handled here, and what the handler throws.
   */
  async dispatch(message: AnyMessage<RequestVerb>): Promise<ReplyOf<RequestVerb>> {
    const handler = this.#handlers.get(message.verb);
    if (handler === undefined) throw notHandled(message.verb, this.#options.self);
    if (isAgentVerb(message.verb)) this.#checkEpoch(message.verb, message.epoch as number);
    return (await handler(message.body, message)) as ReplyOf<RequestVerb>;
  }

  async #answer(received: unknown, verb: string): Promise<ReplyMessage> {
    if (!isVerb(verb) || !isRequestVerb(verb)) {
      // Another version's verb is refused as such: that is what its user has to know.
      checkVersion(received);
      throw unknownVerb(verb);
    }
    const message = decode(verb, received) as AnyMessage<RequestVerb>;
    const body = await this.dispatch(message);
    return encodeReply(verb, this.#options.self, message.request, body);
  }

  async #takeEvent(received: unknown, subject: string): Promise<void> {
    try {
      const { verb, agent } = readSubject(subject);
      if (!isVerb(verb)) return; // of a later version; nothing here waits for it
      const handler = this.#handlers.get(verb);
      if (handler === undefined) return;
      const message = decode(verb, received);
      if (message.from.name !== agent) throw forged(subject, message.from);
      await handler(message.body, message);
    } catch (thrown) {
      this.#options.onError(ensureError(thrown));
    }
  }

  #checkEpoch(verb: Verb, epoch: number): void {
    if (epoch < this.#epoch) {
      throw new ProtocolError(
        "MR_STALE_EPOCH",
        `command ${verb}: its epoch ${epoch} is older than ${this.#epoch}; another coordinator has taken over, stop commanding`,
        { details: { epoch, newest: this.#epoch } },
      );
    }
    this.#epoch = epoch;
  }

  async #keep(subscription: Promise<Subscription>): Promise<void> {
    this.#subscriptions.push(await subscription);
  }
}

function notHandled(verb: Verb, self: Sender): ProtocolError {
  return new ProtocolError(
    "MR_PROTOCOL",
    `verb ${verb}: ${self.name} does not handle it; ask whoever has that role`,
    {
      details: { field: "verb" },
    },
  );
}

function forged(subject: string, from: Sender): ProtocolError {
  return new ProtocolError(
    "MR_PROTOCOL",
    `field from.name: ${from.name} sent on ${subject}; send on your own subject`,
    {
      details: { field: "from.name" },
    },
  );
}
