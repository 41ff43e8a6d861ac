import type { BrokerKind } from "../definition/engine-options.ts";
import { describeValue, UsageError } from "../errors.ts";

/** Where a run's streams lie. */
export type Streams = { readonly kind: "file" } | { readonly kind: "memory" } | BrokerStreams;

export interface BrokerStreams {
  readonly kind: BrokerKind;
  /** With what it takes to get in: for the driver alone, never to be shown or stored. */
  readonly url: string;
  /** The same without user, password and options: "amqp://broker:5672/orders". */
  readonly address: string;
}

const KINDS: Readonly<Record<string, BrokerKind>> = {
  "amqp:": "amqp",
  "amqps:": "amqp",
  "nats:": "nats",
  "redis:": "redis",
  "rediss:": "redis",
};

/** For people. */
export const ENGINE_NAMES: Readonly<Record<Streams["kind"], string>> = {
  file: "files",
  memory: "memory",
  amqp: "RabbitMQ",
  nats: "NATS JetStream",
  redis: "Redis",
};

const PORTS: Readonly<Record<string, string>> = {
  "amqp:": "5672",
  "amqps:": "5671",
  "nats:": "4222",
  "redis:": "6379",
  "rediss:": "6379",
};

const THERE_ARE = "there are file:, memory:, amqp://, amqps://, nats://, redis:// and rediss://";

/** The engine that `--streams` and `streams` name. Throws UsageError MR_USAGE; a password is in no message. */
export function streamsOf(given: unknown): Streams {
  if (typeof given !== "string") throw bad(describeValue(given), THERE_ARE);
  if (given === "file:" || given === "file") return { kind: "file" };
  if (given === "memory:" || given === "memory") return { kind: "memory" };
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(given)?.[0].toLowerCase();
  const kind = scheme === undefined ? undefined : KINDS[scheme];
  if (scheme === undefined) throw bad(given.includes("@") ? "…" : JSON.stringify(given), THERE_ARE);
  if (scheme === "file:")
    throw bad(
      "file:…",
      "it takes no path and no options; the folder is that of --data, and durability the pipeline's",
    );
  if (scheme === "memory:") throw bad("memory:…", "it takes no path and no options");
  if (kind === undefined) throw bad(`${scheme}…`, THERE_ARE);
  const parts = URL.canParse(given) ? new URL(given) : undefined;
  if (parts === undefined || !given.slice(scheme.length).startsWith("//")) {
    throw bad(
      `${scheme}//…`,
      `it is no URL; write ${scheme}//USER:PASSWORD@HOST:PORT, and in a password %40 for @, %3A for :, %2F for /, %23 for #`,
    );
  }
  if (parts.hostname === "") throw bad(`${scheme}//`, `it names no host; write ${scheme}//HOST`);
  if (parts.hash !== "")
    throw bad(`${scheme}//${parts.host}`, "what follows # belongs to no URL of an engine; write %23 for #");
  const names = [...parts.searchParams.keys()];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw bad(`${scheme}//${parts.host}`, `the option ${twice} is given twice`);
  const host = parts.port === "" ? `${parts.hostname}:${PORTS[scheme]}` : parts.host;
  return { kind, url: parts.href, address: `${scheme}//${host}${parts.pathname.replace(/\/$/, "")}` };
}

function bad(what: string, problem: string): UsageError {
  return new UsageError("MR_USAGE", `streams ${what}: ${problem}`);
}
