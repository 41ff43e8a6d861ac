import { ensureError, MillraceError } from "../../errors.ts";
import { engineError } from "./engine-error.ts";

/** RabbitMQ's reply codes that are told apart here. */
const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const RESOURCE_LOCKED = 405;
const PRECONDITION_FAILED = 406;

/** A connection that was not made, or broke, by no one's decision: by the system's code, or the client's text. */
const OF_NETWORK = /^(ECONN|EHOST|ENET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_)/;
const BROKEN_OFF = /ETIMEDOUT$|^Socket closed|^Unexpected close|^Client network socket disconnected/;

/** What kept a connection from being made, as an error of ours. `address` has no password in it. */
export function connectProblem(thrown: unknown, address: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const cause = ensureError(thrown);
  const { message } = cause;
  const inner = cause instanceof AggregateError ? cause.errors[0] : undefined;
  if (inner !== undefined) return connectProblem(inner, address);
  const code = codeOf(cause);
  if (/^Handshake terminated/.test(message))
    return engineError.refused(address, `user or password; ${reasonOf(cause)}`);
  // n.b. the client does not pass on RabbitMQ's words here.
  if (/^Expected ConnectionOpenOk/.test(message))
    return engineError.refused(
      address,
      "the vhost: it does not exist, or this user may not use it, or it has as many connections as it may have",
    );
  if (/^ERR_SSL_(WRONG_VERSION|PACKET_LENGTH)/.test(code))
    return engineError.refused(address, "no TLS is spoken there; use amqp://, or the port for TLS");
  if (OF_NETWORK.test(code) || BROKEN_OFF.test(message)) return engineError.unreachable(address, cause);
  if (isOfCertificate(code)) return engineError.refused(address, cause);
  return engineError.refused(address, `this is no RabbitMQ that can be talked to: ${message}`);
}

/** What ended a session. `server` names the server for people. */
export function sessionProblem(thrown: unknown, server: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  return engineError.unreachable(server, reasonOf(ensureError(thrown)));
}

/** Why a queue or an exchange could not be had; `what` names it: "the queue orders". */
export function queueProblem(thrown: unknown, what: string, server: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const cause = ensureError(thrown);
  const reason = reasonOf(cause);
  const code = replyCodeOf(cause);
  const isUnlike = code === PRECONDITION_FAILED && /inequivalent/.test(reason);
  if (isUnlike || code === RESOURCE_LOCKED) return engineError.queueDiffers(server, what, reason);
  if (code === PRECONDITION_FAILED || code === ACCESS_REFUSED)
    return engineError.refused(server, `${what}: ${reason}`);
  return sessionProblem(cause, server);
}

/** Whether RabbitMQ refused a message, in place of confirming it. It gives no reason. */
export function isNacked(thrown: unknown): boolean {
  return /nacked/.test(ensureError(thrown).message);
}

export function isMissing(thrown: unknown): boolean {
  return replyCodeOf(ensureError(thrown)) === NOT_FOUND;
}

/** RabbitMQ's own words, without what the client puts around them. */
function reasonOf({ message }: Error): string {
  return /with message "(.*)"$/s.exec(message)?.[1] ?? message;
}

function replyCodeOf(error: Error): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code : undefined;
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}

/** OpenSSL's names of what is wrong with a certificate, and its alerts about ours. */
function isOfCertificate(code: string): boolean {
  return /CERT|SIGNATURE|CRL|^ERR_TLS|^ERR_SSL|^ERR_OSSL|UNABLE_TO|INVALID_|PATH_LENGTH/.test(code);
}
