import { UsageError } from "../errors.ts";

/** The engine that `--streams` and `streams` name. Throws UsageError. */
export function streamsOf(url: string): "file" | "memory" {
  if (url === "file:" || url === "file") return "file";
  if (url === "memory:" || url === "memory") return "memory";
  if (/^(nats|amqps?|rediss?):/.test(url)) {
    throw new UsageError(
      "MR_NOT_SUPPORTED",
      `streams ${url}: this engine is not in this version yet; there are file: and memory:`,
    );
  }
  throw new UsageError("MR_USAGE", `streams ${JSON.stringify(url)}: there are file: and memory:`);
}
