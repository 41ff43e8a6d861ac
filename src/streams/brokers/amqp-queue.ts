import type { EngineOptions, QueueArgument } from "../../definition/engine-options.ts";
import { UsageError } from "../../errors.ts";

/** What a queue is to be like. */
export interface AmqpQueue {
  /** All arguments, the type among them. */
  readonly arguments: Readonly<Record<string, QueueArgument>>;
  /** A durable direct exchange to publish through; undefined: RabbitMQ's default exchange. */
  readonly exchange: string | undefined;
}

/** With any of these RabbitMQ throws away frames, or the queue, by itself. */
const LOSING = ["x-message-ttl", "x-expires"];

/** Far more than any life of a queue needs: RabbitMQ 4 would throw a frame away after 20 returns. */
const RETURNS = 2_000_000_000;

/**
 * @throws UsageError MR_BAD_OPTION for an argument that would lose frames, or speaks against the type.
 */
export function amqpQueue(options: EngineOptions): AmqpQueue {
  const { queueType = "classic", arguments: given = {}, exchange } = options;
  if (queueType !== "classic" && queueType !== "quorum")
    throw badOption("queueType", `it is ${JSON.stringify(queueType)}; give "classic" or "quorum"`);
  if (exchange !== undefined && (typeof exchange !== "string" || exchange === ""))
    throw badOption("exchange", `it is ${JSON.stringify(exchange)}; give the name of a direct exchange`);
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw badOption("arguments", 'give an object such as { "x-max-length-bytes": 1000000000 }');
  // n.b. the type is always named: a vhost may have another default.
  const all: Record<string, QueueArgument> = { "x-queue-type": queueType };
  if (queueType === "quorum") all["x-delivery-limit"] = RETURNS;
  for (const [name, value] of Object.entries(given)) {
    if (!["string", "number", "boolean"].includes(typeof value))
      throw badOption("arguments", `${name} is ${typeof value}; give a text, a number or a boolean`);
    if (name === "x-queue-type" && value !== queueType)
      throw badOption(
        "arguments",
        `x-queue-type is ${JSON.stringify(value)}; give the option queueType instead`,
      );
    if (LOSING.includes(name))
      throw badOption("arguments", `with ${name} RabbitMQ throws away frames that wait; leave it out`);
    all[name] = value;
  }
  // RabbitMQ's own default is to drop the oldest frame in silence.
  if ("x-max-length" in all || "x-max-length-bytes" in all) all["x-overflow"] ??= "reject-publish";
  if ("x-overflow" in all && all["x-overflow"] !== "reject-publish")
    throw badOption(
      "arguments",
      `x-overflow is ${JSON.stringify(all["x-overflow"])}, which throws frames away; give "reject-publish"`,
    );
  return { arguments: all, exchange };
}

/** Those of a stage over those of the engine, arguments one by one. */
export function mergedOptions(engine: EngineOptions, stage: EngineOptions | undefined): EngineOptions {
  if (stage === undefined) return engine;
  const { arguments: more } = stage;
  return { ...engine, ...stage, ...(more && { arguments: { ...engine.arguments, ...more } }) };
}

export function badOption(option: string, problem: string): UsageError {
  return new UsageError("MR_BAD_OPTION", `streams: ${option}: ${problem}`);
}
