import type { Broker, BrokerSession, SessionEvents } from "../../src/streams/brokers/broker.ts";

/** A broker as one process sees it that may die: after `die` nothing of it is heard or done any more. */
export class MortalBroker implements Broker {
  readonly #broker: Broker;
  readonly #sessions: BrokerSession[] = [];
  #isDead = false;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  get address(): string {
    return this.#broker.address;
  }

  /** Its connections are cut. Resolves when the server can know. */
  async die(): Promise<void> {
    this.#isDead = true;
    await Promise.all(this.#sessions.map((session) => session.close()));
  }

  async connect(events: SessionEvents, timeoutMs: number): Promise<BrokerSession> {
    if (this.#isDead) return await never();
    const session = await this.#broker.connect(
      {
        lost: (problem) => {
          if (!this.#isDead) events.lost(problem);
        },
        blocked: (reason) => {
          if (!this.#isDead) events.blocked(reason);
        },
      },
      timeoutMs,
    );
    this.#sessions.push(session);
    return this.#mortal(session);
  }

  #mortal(session: BrokerSession): BrokerSession {
    const alive = <T>(call: () => Promise<T>): Promise<T> =>
      this.#isDead
        ? never()
        : call().then(
            (value) => (this.#isDead ? never() : value),
            (error) => (this.#isDead ? never() : Promise.reject(error)),
          );
    return {
      server: session.server,
      maxFrameBytes: session.maxFrameBytes,
      confirmSurvives: session.confirmSurvives,
      declare: (queue, options) => alive(() => session.declare(queue, options)),
      publish: (queue, number, frame) => alive(() => session.publish(queue, number, frame)),
      consume: (queue, onArrival) =>
        session.consume(queue, (arrival) => {
          const ack = (): void => {
            if (!this.#isDead) arrival.ack();
          };
          if (!this.#isDead) onArrival({ number: arrival.number, bytes: arrival.bytes, ack });
        }),
      waiting: (queue) => alive(() => session.waiting(queue)),
      drop: (queue) => alive(() => session.drop(queue)),
      close: async () => {
        if (!this.#isDead) await session.close();
      },
    };
  }
}

const never = (): Promise<never> => new Promise(() => undefined);
