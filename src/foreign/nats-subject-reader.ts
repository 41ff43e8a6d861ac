import type { Msg, Subscription } from "@nats-io/transport-node";
import type { ForeignReader, ForeignSettings, LinkEvents } from "./foreign-driver.ts";
import { headersIn, NatsLink, type NatsLinkParts } from "./nats-link.ts";

const TOLD_MS = 5_000;

interface SubjectReaderParts extends NatsLinkParts {
  readonly events: LinkEvents;
  readonly settings: ForeignSettings;
  readonly subject: string;
  readonly group: string | undefined;
}

/**
 * Reads a subject: what is published while we listen. NATS keeps nothing of it, so a message that comes while we are
 * away, or while as many as may be are in hand, is lost; the latter is told.
 */
export class NatsSubjectReader implements ForeignReader {
  readonly #link: NatsLink;
  readonly #parts: SubjectReaderParts;
  readonly #subscription: Subscription;
  #inHand = 0;
  #dropped = 0;

  private constructor(parts: SubjectReaderParts) {
    this.#parts = parts;
    this.#link = new NatsLink(parts);
    const { subject, group, dialed } = parts;
    this.#subscription = dialed.connection.subscribe(subject, {
      ...(group !== undefined && { queue: group }),
      callback: (_, message) => this.#take(message),
    });
    this.#link.every(TOLD_MS, () => this.#tell());
  }

  static async open(parts: SubjectReaderParts): Promise<NatsSubjectReader> {
    const reader = new NatsSubjectReader(parts);
    // The server listens for us from here on.
    await parts.dialed.connection.flush();
    return reader;
  }

  get server(): string {
    return this.#link.server;
  }

  #take(message: Msg): void {
    const { events, settings } = this.#parts;
    if (this.#inHand >= settings.prefetch) {
      this.#dropped++;
      return;
    }
    this.#inHand++;
    let isDone = false;
    const ack = (): void => {
      if (!isDone) this.#inHand--;
      isDone = true;
    };
    try {
      const { data, headers } = message;
      events.message({ id: undefined, body: data, headers: headersIn(headers), ack });
    } catch (error) {
      this.#link.lose(error);
    }
  }

  #tell(): void {
    if (this.#dropped === 0) return;
    this.#parts.events.notice?.(
      `${this.#dropped} messages of ${this.#parts.subject} came faster than they were stored, and are lost; have a stream of JetStream keep them, or raise prefetch`,
    );
    this.#dropped = 0;
  }

  pause(): void {
    if (!this.#link.isOver) this.#subscription.unsubscribe();
  }

  async isEmpty(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {
    this.#tell();
    await this.#link.close();
  }
}
