import type { ConsumerInfo, JetStreamManager } from "@nats-io/jetstream";
import { engineError } from "../streams/brokers/engine-error.ts";
import { checkJetStream, serverOf } from "../streams/brokers/nats-connect.ts";
import { type NatsDelivery, NatsIntake } from "../streams/brokers/nats-intake.ts";
import { apiCode } from "../streams/brokers/nats-queue.ts";
import type { ForeignReader, ForeignSettings, LinkEvents } from "./foreign-driver.ts";
import { headersIn, NatsLink, type NatsLinkParts } from "./nats-link.ts";
import type { FromNatsSettings } from "./nats-queues.ts";

const NO_CONSUMER = 10014;
const NO_STREAM = 10059;
/** After so long the server hands out again what a source had in hand that died. */
const ACK_WAIT_MS = 10_000;
const LONGEST_TICK_MS = 2_000;

interface StreamReaderParts extends NatsLinkParts {
  readonly events: LinkEvents;
  readonly settings: ForeignSettings;
  readonly options: FromNatsSettings;
  readonly stream: string;
}

/** Reads a stream of JetStream by a durable consumer, which other programs may pull from as well. */
export class NatsStreamReader implements ForeignReader {
  readonly #link: NatsLink;
  readonly #parts: StreamReaderParts;
  readonly #intake: NatsIntake;
  readonly #consumer: string;

  private constructor(parts: StreamReaderParts, consumer: ConsumerInfo) {
    this.#parts = parts;
    this.#consumer = consumer.name;
    this.#link = new NatsLink(parts);
    const { connection, client } = parts.dialed;
    this.#intake = new NatsIntake(
      {
        connection,
        stream: parts.stream,
        consumer: consumer.name,
        inbox: client.createInbox(),
        begin: async () => undefined,
        onProblem: (problem) => this.#link.lose(problem),
      },
      (delivery) => this.#take(delivery),
    );
    const ackWaitMs = (consumer.config.ack_wait ?? 0) / 1e6 || 30_000;
    this.#link.every(Math.min(LONGEST_TICK_MS, ackWaitMs / 3), () => {
      this.#intake.tick();
      this.#intake.renew();
    });
    this.#intake.limit(parts.settings.prefetch);
  }

  static async open(parts: StreamReaderParts): Promise<NatsStreamReader> {
    await checkJetStream(parts.dialed);
    return new NatsStreamReader(parts, await consumerOf(parts));
  }

  get server(): string {
    return this.#link.server;
  }

  #take(delivery: NatsDelivery): void {
    const { data, headers } = delivery.message;
    this.#parts.events.message({
      id: String(delivery.sequence),
      body: data,
      headers: headersIn(headers),
      ack: () => delivery.ack(),
    });
  }

  pause(): void {
    this.#intake.close();
  }

  async isEmpty(kept: number): Promise<boolean> {
    const { dialed, stream } = this.#parts;
    // n.b. what another one has in its hands may come to us.
    const { num_pending, num_ack_pending } = await dialed.jsm.consumers.info(stream, this.#consumer);
    return num_pending === 0 && num_ack_pending <= kept;
  }

  async close(): Promise<void> {
    this.pause();
    await this.#link.close();
  }
}

/** The consumer of that name; made where it is missing, and otherwise left as it is. */
async function consumerOf({ dialed, settings, options, stream }: StreamReaderParts): Promise<ConsumerInfo> {
  const { jsm, connection } = dialed;
  const name = options.consumer ?? `millrace_${plain(settings.pipeline)}_${plain(settings.node)}`;
  try {
    const found = await infoOf(jsm, stream, name);
    if (found !== undefined) {
      const { ack_policy, deliver_subject } = found.config;
      if (ack_policy === "explicit" && deliver_subject === undefined) return found;
      const how =
        "a pull consumer with ack_policy: explicit is needed; name another with the option consumer";
      throw engineError.queueDiffers(serverOf(connection), `consumer ${name} of stream ${stream}`, how);
    }
    return await jsm.consumers.add(stream, {
      durable_name: name,
      ack_policy: "explicit",
      deliver_policy: options.start === "new" ? "new" : "all",
      ack_wait: ACK_WAIT_MS * 1e6,
      max_ack_pending: Math.max(1_000, settings.prefetch),
      ...(options.filter !== undefined && { filter_subject: options.filter }),
    });
  } catch (error) {
    const code = apiCode(error);
    if (code === undefined) throw error;
    const why = code === NO_STREAM ? `there is no stream ${stream}` : error;
    throw engineError.refused(serverOf(connection), why);
  }
}

async function infoOf(
  jsm: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await jsm.consumers.info(stream, name);
  } catch (error) {
    if (apiCode(error) === NO_CONSUMER) return undefined;
    throw error;
  }
}

const plain = (name: string): string => name.replaceAll(".", "-");
