import type { ForeignDriver } from "./foreign-driver.ts";

/** One way to name a queue: options that must be there, and those that may. */
export interface QueueChoice {
  readonly needs: readonly string[];
  readonly may?: readonly string[];
  /** Of those that must be there: `""` means something. */
  readonly mayBeEmpty?: readonly string[];
}

/** What can be said of a driver before it is loaded: every instance reads its pipeline, few have a foreign queue. */
export interface KnownDriver {
  readonly name: string;
  /** The ways to name a queue that is read. */
  readonly from: readonly QueueChoice[];
  /** The ways to name one that is written to. */
  readonly to: readonly QueueChoice[];
  load(): Promise<ForeignDriver>;
}

const AMQP: KnownDriver = {
  name: "RabbitMQ",
  from: [{ needs: ["queue"], may: ["properties"] }],
  to: [
    { needs: ["queue"], may: ["mandatory", "properties"] },
    { needs: ["exchange"], may: ["routingKey", "mandatory", "properties"], mayBeEmpty: ["exchange"] },
  ],
  load: async () => (await import("./amqp-queues.ts")).amqpQueues,
};

const REDIS: KnownDriver = {
  name: "Redis",
  from: [
    { needs: ["stream"], may: ["group", "field", "remove", "start"] },
    { needs: ["list"], may: ["side"] },
  ],
  to: [
    { needs: ["stream"], may: ["field", "maxLength"] },
    { needs: ["list"], may: ["side"] },
  ],
  load: async () => (await import("./redis-queues.ts")).redisQueues,
};

const NATS: KnownDriver = {
  name: "NATS",
  from: [
    { needs: ["stream"], may: ["consumer", "filter", "start"] },
    { needs: ["subject"], may: ["group"] },
  ],
  to: [{ needs: ["subject"], may: ["stream"] }],
  load: async () => (await import("./nats-queues.ts")).natsQueues,
};

/** By the scheme of their URLs. */
export const FOREIGN_DRIVERS: Readonly<Record<string, KnownDriver>> = {
  "amqp:": AMQP,
  "amqps:": AMQP,
  "redis:": REDIS,
  "rediss:": REDIS,
  "nats:": NATS,
};
