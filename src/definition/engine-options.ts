/** The option of a stage that says what its streams are to be like on an engine that leaves a choice. */
import { oneOf, size } from "./option-rules.ts";
import { group, optional, rule } from "./rule.ts";
import type { Size } from "./size.ts";

/** What a queue's argument may be. */
export type QueueArgument = string | number | boolean;

/** The engines that leave a choice. */
export type BrokerKind = "amqp" | "nats" | "redis";

/**
 * How a stage's streams lie in the engine. What the engine at hand does not know is left aside, so that the same
 * pipeline runs on each.
 */
export interface StageEngineOptions {
  /** RabbitMQ: `classic`, or `quorum` for copies on most of the nodes of a cluster. */
  readonly queueType?: "classic" | "quorum";
  /** RabbitMQ: arguments of the queue beyond its type, such as `{ "x-max-length-bytes": 1_000_000_000 }`. */
  readonly arguments?: Readonly<Record<string, QueueArgument>>;
  /** RabbitMQ: a direct exchange to publish through. */
  readonly exchange?: string;
  /** NATS: on so many servers of a cluster a copy lies, 1 to 5. */
  readonly replicas?: number;
  /** NATS: whether a stream lies on disk. */
  readonly storage?: "file" | "memory";
  /** NATS: a stream takes no more beyond this. */
  readonly maxBytes?: Size;
}

/** The same as an engine is given it: sizes in bytes. */
export interface EngineOptions extends Omit<StageEngineOptions, "maxBytes"> {
  readonly maxBytes?: number;
}

const NAMES: Readonly<Record<BrokerKind, readonly (keyof EngineOptions)[]>> = {
  amqp: ["queueType", "arguments", "exchange"],
  nats: ["replicas", "storage", "maxBytes"],
  redis: [],
};

const text = rule<string>("a text that is not empty", (value) =>
  typeof value === "string" && value !== "" ? value : undefined,
);

const queueArguments = rule<Readonly<Record<string, QueueArgument>>>(
  "an object of texts, numbers and booleans",
  (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const isPlain = Object.values(value).every((each) =>
      ["string", "number", "boolean"].includes(typeof each),
    );
    return isPlain ? (value as Readonly<Record<string, QueueArgument>>) : undefined;
  },
);

const replicas = rule<number>("a whole number from 1 to 5", (value) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 5 ? (value as number) : undefined,
);

/** The row of the table of options. */
export const ENGINE = optional(
  group(
    {
      queueType: optional(oneOf("classic", "quorum"), "RabbitMQ: how the queue is kept."),
      arguments: optional(queueArguments, "RabbitMQ: arguments of the queue beyond its type."),
      exchange: optional(text, "RabbitMQ: a direct exchange to publish through."),
      replicas: optional(replicas, "NATS: on so many servers a copy lies."),
      storage: optional(oneOf("file", "memory"), "NATS: whether a stream lies on disk."),
      maxBytes: optional(size("1MB"), "NATS: a stream takes no more beyond this."),
    },
    (values): EngineOptions =>
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
  ),
  "How its streams lie in the engine; what the engine at hand does not know is left aside.",
);

/** What of a stage's options an engine knows. */
export function optionsFor(kind: BrokerKind, options: EngineOptions): EngineOptions {
  const known = Object.entries(options).filter(([name]) => (NAMES[kind] as string[]).includes(name));
  return Object.fromEntries(known) as EngineOptions;
}
