import type { Channel, ChannelModel } from "amqplib";
import type { Env } from "../env/env.ts";
import { discard, takeLeave } from "../streams/brokers/amqp-connect.ts";
import { isMissing, queueProblem, sessionProblem } from "../streams/brokers/amqp-problem.ts";
import { engineError } from "../streams/brokers/engine-error.ts";
import type { LinkEvents } from "./foreign-driver.ts";

export interface AmqpLinkParts {
  readonly env: Env;
  readonly connection: ChannelModel;
  /** For people, without a password. */
  readonly host: string;
  readonly events: LinkEvents;
}

/** What all connections to RabbitMQ's foreign queues have: an end that is told once. */
export class AmqpLink {
  readonly server: string;
  readonly #parts: AmqpLinkParts;
  isOver = false;

  constructor(parts: AmqpLinkParts) {
    this.#parts = parts;
    const { connection, host } = parts;
    const { product, version } = connection.connection.serverProperties;
    this.server = `${product} ${version} at ${host}`;
    connection.on("error", (error) => this.lose(error));
    connection.on("close", (error) => this.lose(error ?? new Error("the connection was closed")));
  }

  /** The end of a channel is the end of the link; `name` is the queue or exchange that it is for. */
  watch(channel: Channel, name: string): void {
    let problem: Error | undefined;
    channel.on("error", (error) => {
      problem = error;
    });
    // n.b. an error of a channel is followed by its close.
    channel.on("close", () => this.lose(problem ?? new Error(`the channel of ${name} was closed`)));
  }

  /** Resolves as `ask` does; what a queue or an exchange is refused for is said of it by its name. */
  async about<T>(name: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (isMissing(error)) throw engineError.refused(this.server, `there is no ${name}`);
      throw queueProblem(error, `the ${name}`, this.server);
    }
  }

  lose(problem: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    discard(this.#parts.connection);
    this.#parts.events.lost(sessionProblem(problem, this.server));
  }

  /** What was acknowledged or sent is on its way before the farewell. */
  async close(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await takeLeave(this.#parts.env, [this.#parts.connection]);
  }
}
