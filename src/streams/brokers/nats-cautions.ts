import type { ServerInfo } from "@nats-io/transport-node";
import { isBefore } from "./nats-version.ts";

/** The first that can be told to flush before it confirms. */
const FLUSHES = [2, 10, 0];

/** What whoever runs the server should know, each with what to do. */
export function cautionsFor({ version = "" }: Partial<ServerInfo> = {}): string[] {
  return [
    isBefore(version, FLUSHES)
      ? `what NATS ${version} confirms is flushed to disk up to a minute later, so a power cut may lose it; run 2.10 or newer with jetstream { sync_interval: always }, or replicas: 3`
      : "what is confirmed is flushed to disk up to two minutes later unless the server is told otherwise, so a power cut may lose it; set jetstream { sync_interval: always }, or replicas: 3",
  ];
}
