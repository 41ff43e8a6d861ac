import { engineError } from "../streams/brokers/engine-error.ts";
import type { ForeignWriter, OutgoingMessage } from "./foreign-driver.ts";
import { headersOut, NatsLink, type NatsLinkParts } from "./nats-link.ts";
import { subjectFor } from "./nats-subject.ts";

interface SubjectWriterParts extends NatsLinkParts {
  readonly subject: string | ((item: unknown) => unknown);
}

/** Publishes to a subject: an item is done when the server has it, whether or not somebody listens. */
export class NatsSubjectWriter implements ForeignWriter {
  readonly #link: NatsLink;
  readonly #parts: SubjectWriterParts;
  /** The answer to a ping that follows all that was published in a turn. */
  #flush: Promise<void> | undefined;
  #giveUp: (problem: Error) => void = () => undefined;
  readonly #over: Promise<never>;

  private constructor(parts: SubjectWriterParts) {
    this.#parts = parts;
    this.#over = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    this.#over.catch(() => undefined);
    this.#link = new NatsLink(parts, (problem) => this.#giveUp(problem));
  }

  static async open(parts: SubjectWriterParts): Promise<NatsSubjectWriter> {
    return new NatsSubjectWriter(parts);
  }

  get server(): string {
    return this.#link.server;
  }

  get maxBodyBytes(): number {
    return this.#link.maxBodyBytes;
  }

  async send({ body, headers, item }: OutgoingMessage): Promise<void> {
    const { dialed, subject } = this.#parts;
    const target = subjectFor(subject, item);
    if (this.#link.isOver) throw engineError.unreachable(this.server, "the connection is closed");
    dialed.connection.publish(target, body, { headers: headersOut(dialed, headers) });
    await Promise.race([this.#flushed(), this.#over]);
  }

  #flushed(): Promise<void> {
    this.#flush ??= new Promise<void>((resolve) => this.#parts.env.timers.soon(resolve)).then(() => {
      this.#flush = undefined;
      return this.#parts.dialed.connection.flush();
    });
    return this.#flush;
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
