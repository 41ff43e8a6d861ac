import { Mailbox } from "../async/mailbox.ts";
import type { Env } from "../env/env.ts";
import { BackplaneError, ensureError, MillraceError } from "../errors.ts";
import {
  type Backplane,
  type KeyValue,
  type Lease,
  type LeaseOptions,
  MESSAGE_BYTES_LIMIT,
  type MessageHandler,
  type ObjectBucket,
  type Reply,
  type RequestHandler,
  type RequestManyOptions,
  type RequestOptions,
  type Subscription,
} from "./contract.ts";
import { fromFailure, toFailure } from "./failure.ts";
import type { LocalBucket } from "./local-bucket.ts";
import { LocalKeyValue } from "./local-key-value.ts";
import { type LeaseTable, LocalLease } from "./local-lease.ts";
import type { Delivery, LocalRouter, Outcome, Route } from "./local-router.ts";
import { PendingRequests, requestTimeout, unreachablePeer } from "./pending-requests.ts";
import { encodePlain } from "./plain-data.ts";
import { checkBucket, checkPattern, checkSubject } from "./subject.ts";

/** Messages that may wait for one reader before further ones are lost. */
const WAITING_LIMIT = 10_000;

export interface LocalClientOptions {
  readonly name: string;
  readonly env: Env;
  readonly router: LocalRouter;
  readonly leases: LeaseTable;
  readonly bucket: (name: string) => Promise<LocalBucket>;
  readonly objects: (name: string) => ObjectBucket;
  readonly onError: (error: Error) => void;
  readonly onClose: () => void;
}

/** One client of a LocalBackplane. */
export class LocalClient implements Backplane {
  readonly name: string;
  readonly #options: LocalClientOptions;
  readonly #pending: PendingRequests;
  readonly #open = new Set<Subscription>();
  #closed = false;

  constructor(options: LocalClientOptions) {
    this.name = options.name;
    this.#options = options;
    this.#pending = new PendingRequests(options.env.timers);
  }

  publish(subject: string, message: unknown): void {
    this.#check();
    checkSubject(subject);
    this.#options.router.publish(subject, encodeMessage(message, subject));
  }

  async subscribe(pattern: string, handler: MessageHandler): Promise<Subscription> {
    return this.#read({ pattern, kind: "subscriber" }, ({ text, subject }) =>
      handler(JSON.parse(text), subject),
    );
  }

  async respond(
    pattern: string,
    handler: RequestHandler,
    options: { readonly queue?: string } = {},
  ): Promise<Subscription> {
    if (options.queue !== undefined) checkBucket(options.queue, "queue");
    // Not awaited: a slow request must not hold up the next.
    return this.#read({ pattern, kind: "responder", queue: options.queue }, (delivery) => {
      void this.#answer(handler, delivery);
    });
  }

  async request(subject: string, message: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { asked, replies } = await this.#ask(subject, message, { ...options, max: 1 });
    const [reply] = replies;
    if (reply === undefined) throw asked === 0 ? unreachablePeer(subject) : requestTimeout(subject, options);
    if (!reply.ok) throw reply.error;
    return reply.message;
  }

  async requestMany(subject: string, message: unknown, options: RequestManyOptions = {}): Promise<Reply[]> {
    return (await this.#ask(subject, message, options)).replies;
  }

  kv(bucket: string): KeyValue {
    checkBucket(bucket);
    return new LocalKeyValue({
      name: bucket,
      bucket: async () => {
        this.#check();
        const opened = await this.#options.bucket(bucket);
        this.#check(); // closed while its file was read: a watch must not begin now
        return opened;
      },
      mailbox: (handle) => new Mailbox(this.#options.env.timers, handle, { onError: this.#options.onError }),
      track: (subscription) => this.#track(subscription),
    });
  }

  objects(bucket: string): ObjectBucket {
    checkBucket(bucket);
    const open = async (): Promise<ObjectBucket> => {
      this.#check();
      return this.#options.objects(bucket);
    };
    return {
      put: async (name, bytes) => {
        const copy = Buffer.from(bytes); // now, before the caller may change its own
        await (await open()).put(name, copy);
      },
      get: async (name) => (await open()).get(name),
      delete: async (name) => (await open()).delete(name),
      list: async () => (await open()).list(),
    };
  }

  lease(name: string, options: LeaseOptions): Lease {
    this.#check();
    checkBucket(name, "lease");
    return new LocalLease(this.#options.leases, name, options);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const subscription of this.#open) subscription.close();
    this.#pending.fail(this.#closedError());
    this.#options.onClose();
  }

  #read(route: Omit<Route, "deliver">, handle: (delivery: Delivery) => unknown): Subscription {
    this.#check();
    checkPattern(route.pattern);
    const { env, onError, router } = this.#options;
    const mailbox = new Mailbox<Delivery>(env.timers, handle, { onError, limit: WAITING_LIMIT });
    const deliver = (delivery: Delivery): boolean => {
      const taken = mailbox.push(delivery);
      if (!taken) onError(slowReader(this.name, route.pattern));
      return taken;
    };
    const remove = router.add({ ...route, deliver });
    return this.#track({
      close: () => {
        remove();
        for (const { answer, subject } of mailbox.close())
          answer?.({ ok: false, error: unreachablePeer(subject) });
      },
    });
  }

  async #answer(handler: RequestHandler, { subject, text, answer }: Delivery): Promise<void> {
    let outcome: Outcome;
    try {
      const result = await handler(JSON.parse(text), subject);
      outcome = { ok: true, text: encodeMessage(result ?? null, `reply to ${subject}`) };
    } catch (thrown) {
      // Through its wire form, so that the requester sees here what it would see over a network.
      outcome = { ok: false, error: fromFailure(toFailure(thrown)) };
      if (!(thrown instanceof MillraceError)) this.#options.onError(ensureError(thrown));
    }
    answer?.(outcome);
  }

  async #ask(
    subject: string,
    message: unknown,
    options: RequestManyOptions,
  ): Promise<{ asked: number; replies: Reply[] }> {
    this.#check();
    checkSubject(subject);
    const text = encodeMessage(message, subject);
    const pending = this.#pending.begin(options);
    const asked = this.#options.router.request(subject, text, (outcome) => {
      pending.add(outcome.ok ? { ok: true, message: JSON.parse(outcome.text) } : outcome);
    });
    pending.expect(asked);
    return { asked, replies: await pending.done };
  }

  #track(subscription: Subscription): Subscription {
    const tracked: Subscription = {
      close: () => {
        if (this.#open.delete(tracked)) subscription.close();
      },
    };
    this.#open.add(tracked);
    return tracked;
  }

  #check(): void {
    if (this.#closed) throw this.#closedError();
  }

  #closedError(): BackplaneError {
    return new BackplaneError("MR_BACKPLANE_CLOSED", `backplane client ${this.name}: closed; connect again`);
  }
}

function encodeMessage(message: unknown, subject: string): string {
  return encodePlain(message, MESSAGE_BYTES_LIMIT, `message ${subject}`);
}

function slowReader(name: string, pattern: string): BackplaneError {
  return new BackplaneError(
    "MR_BACKPRESSURE",
    `backplane client ${name}: ${WAITING_LIMIT} messages wait for the reader of ${pattern}, one was lost; make its handler faster`,
  );
}
