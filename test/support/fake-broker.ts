import { StreamError } from "../../src/errors.ts";
import type {
  Arrival,
  Broker,
  BrokerSession,
  Intake,
  SessionEvents,
} from "../../src/streams/brokers/broker.ts";
import { engineError } from "../../src/streams/brokers/engine-error.ts";

interface Message {
  readonly number: number | undefined;
  readonly bytes: Buffer;
  holder: FakeSession | undefined;
}

export interface FakeBrokerOptions {
  /** What comes next of all that could: a number in [0, 1). Left out: everything at once, in order. */
  readonly chance?: () => number;
  readonly maxFrameBytes?: number;
  readonly handBackMs?: number;
}

/**
 * A broker in memory that does what brokers do on bad days, when the test says so. With `chance` nothing happens but
 * by `step`; without, everything soon.
 */
export class FakeBroker implements Broker {
  readonly address = "fake://broker";
  readonly queues = new Map<string, Message[]>();
  readonly sessions = new Set<FakeSession>();
  readonly options: FakeBrokerOptions;
  /** What a connection attempt meets. */
  problem: Error | undefined;
  /** What a declaration meets. */
  differs = false;
  /** This share of the publications is refused for want of room. */
  refuses = 0;
  /** So many messages a queue takes, those in somebody's hands included. */
  room = Number.POSITIVE_INFINITY;
  connects = 0;
  drops: string[] = [];
  #isScheduled = false;

  constructor(options: FakeBrokerOptions = {}) {
    this.options = options;
  }

  async connect(events: SessionEvents): Promise<BrokerSession> {
    this.connects++;
    if (this.problem !== undefined) throw this.problem;
    const session = new FakeSession(this, events);
    this.sessions.add(session);
    return session;
  }

  queue(name: string): Message[] {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = [];
      this.queues.set(name, queue);
    }
    return queue;
  }

  /** Something may happen. */
  touch(): void {
    if (this.options.chance !== undefined || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.step());
    });
  }

  /** One of the things that could happen next happens; false when nothing can. */
  step(): boolean {
    const could = [...this.sessions].flatMap((session) => session.next());
    const one = could[Math.floor((this.options.chance?.() ?? 0) * could.length)];
    one?.();
    return one !== undefined;
  }

  /** All sessions break; of what was on its way a part has arrived. Nobody can connect while there is a `problem`. */
  loseSessions(): void {
    for (const session of [...this.sessions]) session.lose(this.options.chance?.() ?? 0.5);
  }

  block(reason: string | undefined): void {
    for (const { events } of this.sessions) events.blocked(reason);
  }

  /** A message that nobody of ours has published. */
  put(name: string, bytes: Buffer, number?: number): void {
    this.queue(name).push({ number, bytes, holder: undefined });
    this.touch();
  }

  /** Messages that match are gone from the broker, wherever they are. */
  lose(name: string, match: (number: number | undefined) => boolean = () => true): number {
    const queue = this.queue(name);
    const left = queue.filter(({ number }) => !match(number));
    this.queues.set(name, left);
    return queue.length - left.length;
  }

  numbers(name: string): (number | undefined)[] {
    return this.queue(name).map(({ number }) => number);
  }

  /** What a broker has when its only client is killed. */
  copy(options: FakeBrokerOptions = this.options): FakeBroker {
    const copy = new FakeBroker(options);
    for (const [name, queue] of this.queues)
      copy.queues.set(
        name,
        queue.map(({ number, bytes }) => ({ number, bytes, holder: undefined })),
      );
    return copy;
  }
}

interface Consumer {
  readonly onArrival: (arrival: Arrival) => void;
  limit: number;
  held: number;
  isClosed: boolean;
}

class FakeSession implements BrokerSession {
  readonly server = "Fake 1.0";
  readonly maxFrameBytes: number;
  readonly handBackMs: number;
  readonly confirmSurvives = "power-loss";
  readonly events: SessionEvents;
  readonly #broker: FakeBroker;
  /** On their way to the broker, in order. */
  readonly #inbound: (() => void)[] = [];
  /** On their way to us, in no order. */
  readonly #answers: (() => void)[] = [];
  readonly #consumers = new Map<string, Consumer>();
  #isOver = false;

  constructor(broker: FakeBroker, events: SessionEvents) {
    this.#broker = broker;
    this.events = events;
    this.maxFrameBytes = broker.options.maxFrameBytes ?? 1024 * 1024;
    this.handBackMs = broker.options.handBackMs ?? 0;
  }

  #say(command: () => void): void {
    if (this.#isOver) return;
    this.#inbound.push(command);
    this.#broker.touch();
  }

  async declare(queue: string): Promise<void> {
    if (this.#broker.differs) throw engineError.queueDiffers(this.server, queue, "its type");
    this.#broker.queue(queue);
  }

  publish(queue: string, number: number, frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#say(() => {
        const isFull = this.#broker.queue(queue).length >= this.#broker.room;
        if (isFull || (this.#broker.options.chance?.() ?? 0) < this.#broker.refuses) {
          this.#answers.push(() => reject(engineError.full(this.server, queue, "no room")));
          return;
        }
        this.#broker.queue(queue).push({ number, bytes: Buffer.from(frame), holder: undefined });
        this.#answers.push(resolve);
      });
    });
  }

  consume(queue: string, onArrival: (arrival: Arrival) => void): Intake {
    const consumer: Consumer = { onArrival, limit: 0, held: 0, isClosed: false };
    if (this.#consumers.has(queue)) throw new Error(`${queue} is consumed twice`);
    this.#consumers.set(queue, consumer);
    return {
      limit: (messages) => {
        consumer.limit = messages;
        this.#broker.touch();
      },
      close: () => {
        consumer.isClosed = true;
      },
    };
  }

  async waiting(queue: string): Promise<number> {
    return this.#broker.queue(queue).filter(({ holder }) => holder === undefined).length;
  }

  async drop(queue: string): Promise<void> {
    this.#broker.drops.push(queue);
    this.#broker.queues.delete(queue);
  }

  /** All that could happen next in this session. */
  next(): (() => void)[] {
    const could: (() => void)[] = [];
    if (this.#inbound.length > 0) could.push(() => this.#inbound.shift()?.());
    const answer = this.#answers.length - 1;
    if (answer >= 0) {
      const at = Math.floor((this.#broker.options.chance?.() ?? 0) * this.#answers.length);
      could.push(() => this.#answers.splice(at, 1)[0]?.());
    }
    for (const [name, consumer] of this.#consumers) {
      if (consumer.isClosed || consumer.held >= consumer.limit) continue;
      const message = this.#broker.queue(name).find(({ holder }) => holder === undefined);
      if (message !== undefined) could.push(() => this.#deliver(name, consumer, message));
    }
    return could;
  }

  #deliver(name: string, consumer: Consumer, message: Message): void {
    message.holder = this;
    consumer.held++;
    let isAcknowledged = false;
    consumer.onArrival({
      number: message.number,
      bytes: message.bytes,
      ack: () => {
        if (isAcknowledged || this.#isOver) return;
        isAcknowledged = true;
        this.#say(() => {
          consumer.held--;
          const queue = this.#broker.queue(name);
          const at = queue.indexOf(message);
          if (at >= 0) queue.splice(at, 1);
        });
      },
    });
  }

  /** The connection breaks when this share of what was on its way had arrived. */
  lose(share: number): void {
    if (this.#isOver) return;
    for (const command of this.#inbound.splice(0, Math.floor(share * (this.#inbound.length + 1)))) command();
    this.#end();
    this.events.lost(new StreamError("MR_ENGINE_UNREACHABLE", `${this.server}: the connection is lost`));
  }

  #end(): void {
    this.#isOver = true;
    this.#inbound.length = 0;
    this.#answers.length = 0;
    this.#broker.sessions.delete(this);
    for (const queue of this.#broker.queues.values())
      for (const message of queue) if (message.holder === this) message.holder = undefined;
    this.#broker.touch();
  }

  async close(): Promise<void> {
    if (!this.#isOver) this.#end();
  }
}
