import type { EngineOptions } from "../../definition/engine-options.ts";
import { oneOf, size } from "../../definition/option-rules.ts";
import { group, optional, rule, standard } from "../../definition/rule.ts";
import { UsageError } from "../../errors.ts";

/** Where NATS servers listen, as whom we come, and what queues are like whose stage says nothing. */
export interface NatsSettings {
  /** For people, without a secret: `nats://ann@10.0.0.1:4222`. */
  readonly address: string;
  /** `host:port` of one server, or of several of one cluster. */
  readonly servers: readonly string[];
  readonly login: { readonly user: string; readonly pass: string } | { readonly token: string } | undefined;
  /** PEM texts; undefined: TLS as the server wants it, checked against the system's authorities. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  readonly queues: NatsQueueOptions;
}

/** How a queue is kept. */
export type NatsQueueOptions = Required<Pick<EngineOptions, "replicas" | "storage">> &
  Pick<EngineOptions, "maxBytes">;

const PORT = "4222";

const pem = rule("the content of a PEM file", (value) =>
  typeof value === "string" && value.includes("-----BEGIN ") ? value : undefined,
);
const yes = rule("true", (value) => (value === true || value === "true" ? true : undefined));
const copies = rule("a whole number from 1 to 5", (value) => {
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= 5 ? number : undefined;
});
const servers = rule('servers such as "10.0.0.2:4222,10.0.0.3:4222"', (value) => {
  const hosts = typeof value === "string" ? value.split(",").map(hostOf) : [undefined];
  return hosts.includes(undefined) ? undefined : (hosts as string[]);
});

const OPTIONS = group({
  servers: optional(servers, "More servers of the same cluster, for when the first is down."),
  replicas: standard(copies, 1, "Servers that keep a copy of a queue."),
  storage: standard(oneOf("file", "memory"), "file", "Whether a queue lies on disk."),
  maxBytes: optional(size("1MB"), "Bytes that a queue holds; a full one is back-pressure."),
  tls: optional(yes, "A server without TLS is refused."),
  ca: optional(pem, "The authority to trust."),
  cert: optional(pem, "Our certificate, for a server that asks for one."),
  key: optional(pem, "The key of our certificate."),
});
/** Those that a URL may carry: `nats://host?replicas=3`. */
const IN_URL = ["servers", "replicas", "storage", "maxBytes", "tls"];

/**
 * Reads `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][?OPTION=VALUE]` and the options beside it.
 *
 * @throws UsageError or DefinitionError MR_BAD_OPTION; no secret is in its message.
 */
export function natsSettings(url: string, given: Readonly<Record<string, unknown>>): NatsSettings {
  const parts = URL.canParse(url) ? new URL(url) : undefined;
  const first = parts && hostOf(parts.host);
  if (parts === undefined || first === undefined)
    throw bad("that is no address of a NATS server; write nats://[USER:PASSWORD@]HOST[:PORT]");
  const stray = [...parts.searchParams.keys()].find((name) => !IN_URL.includes(name));
  if (stray !== undefined)
    throw bad(`a nats URL has no ${JSON.stringify(stray)}; it may carry ${IN_URL.join(", ")}`);
  if (!["", "/"].includes(parts.pathname))
    throw bad("a nats URL has no path; leave out what follows the host");
  const inUrl = Object.fromEntries(parts.searchParams);
  const options = OPTIONS.read({ ...inUrl, ...given }, { subject: "streams", path: "" });
  const { ca, cert, key, tls, replicas, storage, maxBytes } = options;
  const [user = "", pass = ""] = [parts.username, parts.password].map(decoded);
  const all = [first, ...(options.servers ?? [])];
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  return {
    address: `nats://${user !== "" && pass !== "" ? `${user}@` : ""}${all.join(",")}`,
    servers: all,
    login: user === "" ? undefined : pass === "" ? { token: user } : { user, pass },
    tls: tls === true || Object.keys(files).length > 0 ? files : undefined,
    queues: { replicas, storage, ...(maxBytes !== undefined && { maxBytes }) },
  };
}

function hostOf(text: string): string | undefined {
  const [, name, port = PORT] = /^(\[[0-9a-fA-F:.]+\]|[^[\]:\s,]+)(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  return name === undefined || Number(port) > 65_535 ? undefined : `${name}:${port}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw bad("in the user or the password of the nats URL a % stands alone; write it as %25");
  }
}

function bad(problem: string): UsageError {
  return new UsageError("MR_BAD_OPTION", `streams: ${problem}`);
}
