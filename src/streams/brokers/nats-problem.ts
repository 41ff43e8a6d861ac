import { ensureError, StreamError } from "../../errors.ts";
import { engineError } from "./engine-error.ts";
import type { NatsRefusal } from "./nats-publisher.ts";

/** What a TLS library says when one side does not trust the other. */
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO)/;
/** Errors of the client that another attempt does not mend. */
const FOR_A_PERSON = new Set([
  "AuthorizationError",
  "UserAuthenticationExpiredError",
  "PermissionViolationError",
  "InvalidArgumentError",
]);
/** JetStream's answers that a person must mend: not enabled for the account, too many streams, replicas without a cluster. */
const REFUSALS = new Set([10039, 10026, 10027, 10074, 10052]);
/** The client's words when what answers speaks another protocol, or without TLS although we ask for it. */
const WORDS = /unexpected response from server|server does not support/;

/** An error of the client as one of ours: worth another attempt (MR_ENGINE_UNREACHABLE), or not (MR_ENGINE_REFUSED). */
export function natsProblem(who: string, thrown: unknown): StreamError {
  if (thrown instanceof StreamError) return thrown;
  if (typeof thrown === "string") return engineError.unreachable(who, thrown);
  const error = ensureError(thrown);
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = "code" in at ? at.code : undefined;
    const isRefusal =
      FOR_A_PERSON.has(at.name) ||
      WORDS.test(at.message) ||
      (typeof code === "string" && TLS.test(code)) ||
      (typeof code === "number" && REFUSALS.has(code));
    if (isRefusal) return engineError.refused(who, at);
  }
  return engineError.unreachable(who, error);
}

/** Answers that mean want of room: a limit of the stream, the account's, the server's. */
const FULL = new Set([10077, 10047, 10023, 10028, 10002]);

/** Why JetStream did not store a message. */
export function refusalOf(server: string, { subject, code, text }: NatsRefusal): StreamError {
  if (code === undefined) return engineError.unreachable(server, text);
  return FULL.has(code)
    ? engineError.full(server, subject, text)
    : engineError.unreachable(server, `a message to ${subject} was not stored: ${text}`);
}
