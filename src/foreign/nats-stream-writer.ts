import { engineError } from "../streams/brokers/engine-error.ts";
import { checkJetStream } from "../streams/brokers/nats-connect.ts";
import { refusalOf } from "../streams/brokers/nats-problem.ts";
import { NatsPublisher } from "../streams/brokers/nats-publisher.ts";
import { apiCode } from "../streams/brokers/nats-queue.ts";
import type { ForeignWriter, OutgoingMessage } from "./foreign-driver.ts";
import { headersOut, NatsLink, type NatsLinkParts } from "./nats-link.ts";
import { matches, subjectFor } from "./nats-subject.ts";

const TICK_MS = 2_000;
const NO_STREAM = 10059;
/** Refusals that another attempt does not mend: another stream, a size, a header that it does not like. */
const FOR_GOOD = new Set([10060, 10054, 10071, 10070]);

interface StreamWriterParts extends NatsLinkParts {
  readonly subject: string | ((item: unknown) => unknown);
  readonly stream: string;
}

/** Writes to a stream of JetStream: an item is done when the stream has stored it. */
export class NatsStreamWriter implements ForeignWriter {
  readonly #link: NatsLink;
  readonly #parts: StreamWriterParts;
  readonly #publisher: NatsPublisher;
  /** What the stream takes. */
  #patterns: readonly string[];

  private constructor(parts: StreamWriterParts, patterns: readonly string[]) {
    this.#parts = parts;
    this.#patterns = patterns;
    this.#link = new NatsLink(parts, (problem) => this.#publisher.fail(problem));
    const { connection, client } = parts.dialed;
    this.#publisher = new NatsPublisher({
      connection,
      inbox: client.createInbox(),
      problemOf: (refusal) =>
        FOR_GOOD.has(refusal.code ?? 0)
          ? engineError.queueDiffers(this.server, refusal.subject, refusal.text)
          : refusalOf(this.server, refusal),
      onProblem: (problem) => this.#link.lose(problem),
    });
    this.#link.every(TICK_MS, () => this.#publisher.tick());
  }

  static async open(parts: StreamWriterParts): Promise<NatsStreamWriter> {
    await checkJetStream(parts.dialed);
    const writer = new NatsStreamWriter(parts, []);
    try {
      await writer.#look();
      const { subject } = parts;
      if (typeof subject === "string") writer.#check(subject);
      return writer;
    } catch (error) {
      await writer.close();
      if (apiCode(error) !== NO_STREAM) throw error;
      throw engineError.refused(writer.server, `there is no stream ${parts.stream}`);
    }
  }

  get server(): string {
    return this.#link.server;
  }

  get maxBodyBytes(): number {
    return this.#link.maxBodyBytes;
  }

  async send({ body, headers, item, id }: OutgoingMessage): Promise<void> {
    const { dialed, subject, stream } = this.#parts;
    const target = subjectFor(subject, item);
    if (!this.#patterns.some((pattern) => matches(target, pattern))) await this.#look();
    this.#check(target);
    if (this.#link.isOver) throw engineError.unreachable(this.server, "the connection is closed");
    const all = headersOut(dialed, headers);
    all.set("Nats-Expected-Stream", stream);
    // The stream drops what is sent twice within its duplicate window.
    if (!all.has("Nats-Msg-Id")) all.set("Nats-Msg-Id", id);
    await this.#publisher.publish(target, body, all);
  }

  async #look(): Promise<void> {
    const { config } = await this.#parts.dialed.jsm.streams.info(this.#parts.stream);
    this.#patterns = config.subjects ?? [];
  }

  #check(subject: string): void {
    if (this.#patterns.some((pattern) => matches(subject, pattern))) return;
    throw engineError.refused(
      this.server,
      `the stream ${this.#parts.stream} does not take ${subject}, it takes ${this.#patterns.join(", ")}`,
    );
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
