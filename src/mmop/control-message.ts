import { ProtocolError } from "../errors.ts";

/** A message of a control socket; not checked yet. Throws MR_PROTOCOL when it is not JSON. */
export function parseControlMessage(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new ProtocolError(
      "MR_PROTOCOL",
      "field message: not JSON, expected object; send what the protocol says",
      {
        cause,
        details: { field: "message" },
      },
    );
  }
}

/** The request that a message names, even one that is malformed otherwise. */
export function requestIdOf(received: unknown): string | undefined {
  if (typeof received !== "object" || received === null || !("request" in received)) return undefined;
  return typeof received.request === "string" ? received.request : undefined;
}
