import type { NatsConnection } from "@nats-io/transport-node";
import type { Env } from "../../env/env.ts";
import type { Broker, SessionEvents } from "./broker.ts";
import { engineError } from "./engine-error.ts";
import { checkServer, dialOptions, loadNats } from "./nats-connect.ts";
import { natsProblem } from "./nats-problem.ts";
import { NatsSession } from "./nats-session.ts";
import { type NatsSettings, natsSettings } from "./nats-settings.ts";
import type { MakeBroker } from "./open-broker.ts";

/**
 * JetStream as a broker: a work-queue stream on disk for each queue, with one pull consumer.
 *
 * @throws UsageError or DefinitionError MR_BAD_OPTION for a URL that names no server, an option that it does not have.
 */
export const natsBroker: MakeBroker = (env, url, options) => new NatsBroker(env, natsSettings(url, options));

class NatsBroker implements Broker {
  readonly #env: Env;
  readonly #settings: NatsSettings;

  constructor(env: Env, settings: NatsSettings) {
    this.#env = env;
    this.#settings = settings;
  }

  get address(): string {
    return this.#settings.address;
  }

  async connect(events: SessionEvents, timeoutMs: number): Promise<NatsSession> {
    const attempt = this.#attempt(events, timeoutMs);
    const inTime = new AbortController();
    const tooLate = this.#env.timers.sleep(timeoutMs, inTime.signal).then(() => {
      // n.b. the client cannot be told to stop: what comes of it is closed when it comes.
      attempt.then((session) => session.close()).catch(() => undefined);
      throw engineError.unreachable(this.#who, `no answer in ${timeoutMs} ms`);
    });
    tooLate.catch(() => undefined);
    try {
      return await Promise.race([attempt, tooLate]);
    } finally {
      inTime.abort();
    }
  }

  get #who(): string {
    return `NATS at ${this.#settings.servers.join(",")}`;
  }

  async #attempt(events: SessionEvents, timeoutMs: number): Promise<NatsSession> {
    const { client, jetstream } = await loadNats();
    let connection: NatsConnection | undefined;
    try {
      connection = await client.connect(dialOptions(this.#settings, timeoutMs));
      const jsm = await jetstream.jetstreamManager(connection, { checkAPI: false });
      const server = await checkServer(connection, jsm);
      const { queues } = this.#settings;
      return new NatsSession({ env: this.#env, connection, client, jsm, server, queues, events });
    } catch (error) {
      void connection?.close().catch(() => undefined);
      throw natsProblem(this.#who, error);
    }
  }
}
