import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { BrokerKind } from "../definition/engine-options.ts";

const CLIENTS: Readonly<Record<BrokerKind, readonly string[]>> = {
  amqp: ["amqplib"],
  nats: ["@nats-io/transport-node", "@nats-io/jetstream"],
  redis: ["ioredis"],
};

/** The client libraries of an engine, with their versions: beside millrace, or in the project. */
export function clientsOf(kind: BrokerKind): string[] {
  return CLIENTS[kind].map((name) => `${name} ${versionOf(name) ?? "of an unknown version"}`);
}

function versionOf(name: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      // n.b. many packages do not export their package.json: it is looked for above what they do export.
      let folder = dirname(createRequire(from).resolve(name));
      while (!folder.endsWith(join("node_modules", name))) {
        if (folder === dirname(folder)) return undefined;
        folder = dirname(folder);
      }
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        version: string;
      };
      return version;
    } catch {
      // Not to be had from there.
    }
  }
  return undefined;
}
