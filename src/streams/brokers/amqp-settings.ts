import type { EngineOptions } from "../../definition/engine-options.ts";
import { amqpQueue, badOption } from "./amqp-queue.ts";

/** What RabbitMQ is asked for, from the URL and the options, checked. */
export interface AmqpSettings {
  readonly protocol: "amqp" | "amqps";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** As it stands in the URL, still escaped. */
  readonly vhost: string;
  /** For people, without a password. */
  readonly address: string;
  /** What its queues are to be like where their stages don't say. */
  readonly queues: EngineOptions;
  readonly heartbeatSeconds: number;
  /** PEM texts. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

const OPTIONS = ["queueType", "arguments", "exchange", "heartbeatSeconds", "ca", "cert", "key"];
/** Those of them that a URL may carry: `amqp://host?queueType=quorum`. */
const IN_URL = ["queueType", "exchange", "heartbeatSeconds"];

/**
 * Reads the URL and the options of a RabbitMQ engine.
 *
 * @throws UsageError MR_BAD_OPTION for an option that is unknown, of a wrong type, or would lose frames.
 */
export function amqpSettings(url: string, given: Readonly<Record<string, unknown>>): AmqpSettings {
  const parts = new URL(url);
  const protocol = parts.protocol === "amqps:" ? "amqps" : "amqp";
  const options: Record<string, unknown> = { ...fromQuery(parts), ...given };
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name))
      throw badOption(name, `RabbitMQ has no such option; it has ${OPTIONS.join(", ")}`);
  }
  const user = parts.username === "" ? "guest" : decoded(parts.username);
  const host = parts.hostname === "" ? "localhost" : parts.hostname.replace(/^\[|\]$/g, "");
  const port = parts.port === "" ? (protocol === "amqps" ? 5671 : 5672) : Number(parts.port);
  const vhost = parts.pathname.slice(1);
  const heartbeatSeconds = Number(options.heartbeatSeconds ?? 10);
  if (!Number.isInteger(heartbeatSeconds) || heartbeatSeconds < 1 || heartbeatSeconds > 300)
    throw badOption(
      "heartbeatSeconds",
      `it is ${String(options.heartbeatSeconds)}; give a whole number, 1 to 300`,
    );
  const { queueType, arguments: queueArguments, exchange } = options;
  const queues = withoutUndefined({ queueType, arguments: queueArguments, exchange }) as EngineOptions;
  amqpQueue(queues);
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return {
    protocol,
    host,
    port,
    user,
    password: parts.username === "" ? "guest" : decoded(parts.password),
    vhost,
    address: `${protocol}://${user}@${shownHost}:${port}${vhost === "" ? "" : `/${vhost}`}`,
    queues,
    heartbeatSeconds,
    tls: withoutUndefined({
      ca: pem("ca", options.ca),
      cert: pem("cert", options.cert),
      key: pem("key", options.key),
    }),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badOption("user and password", "a % stands alone in the URL; write it as %25");
  }
}

function fromQuery({ searchParams }: URL): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, value] of searchParams) {
    if (!IN_URL.includes(name)) throw badOption(name, `an amqp URL carries only ${IN_URL.join(", ")}`);
    options[name] = value;
  }
  return options;
}

function pem(name: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === "string" && value.includes("-----BEGIN "))) return value;
  throw badOption(name, "give the content of a PEM file: it begins with -----BEGIN");
}

function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as { [K in keyof T]?: NonNullable<T[K]> };
}
