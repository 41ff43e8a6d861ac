import { describeValue, ProtocolError } from "../errors.ts";
import {
  type AgentVerb,
  type BodyOf,
  isAgentVerb,
  isRequestVerb,
  isVerb,
  MESSAGES,
  MMOP_VERSION,
  type ReplyOf,
  type RequestVerb,
  type Verb,
} from "./messages.ts";
import { count, object, optional, text } from "./schema.ts";

/** Who sends: its name, and an id that is new with every start of its process. */
export interface Sender {
  readonly name: string;
  readonly boot: string;
}

/** A message as it travels, whatever carries it. */
export interface Message<V extends Verb = Verb> {
  readonly mmop: typeof MMOP_VERSION;
  readonly verb: V;
  readonly from: Sender;
  /** Of requests and their replies: pairs them, and names a repeated request. */
  readonly request: V extends RequestVerb ? string : undefined;
  /** Of commands: the epoch of the coordinator that gives it. */
  readonly epoch: V extends AgentVerb ? number : undefined;
  readonly body: BodyOf<V>;
}

/** What answers a request that was carried out. */
export interface ReplyMessage<V extends RequestVerb = RequestVerb> {
  readonly mmop: typeof MMOP_VERSION;
  readonly verb: V;
  readonly from: Sender;
  readonly request: string;
  readonly body: ReplyOf<V>;
}

/** The union of the messages of several verbs. */
export type AnyMessage<V extends Verb = Verb> = V extends Verb ? Message<V> : never;

const sender = object({ name: text, boot: text });
const head = object({ verb: text, from: sender, request: optional(text), epoch: optional(count) });
const withRequest = object({ request: text });
const withEpoch = object({ epoch: count });

/**
 * Checks what was received as `verb`. Throws MR_PROTOCOL_VERSION for another version, MR_PROTOCOL for an unknown
 * verb, one that is not `verb`, and a field that is missing or malformed, which it names.
 */
export function decode<V extends Verb>(verb: V, received: unknown): Message<V> {
  checkVersion(received);
  const { from, request, epoch } = readHead(verb, received);
  const body = object({ body: MESSAGES[verb].body }).read(received, "").body;
  return {
    mmop: MMOP_VERSION,
    verb,
    from,
    request: isRequestVerb(verb) ? withRequest.read({ request }, "").request : undefined,
    epoch: isAgentVerb(verb) ? withEpoch.read({ epoch }, "").epoch : undefined,
    body,
  } as Message<V>;
}

/** Checks a message of whatever verb it says. Throws as {@link decode} does. */
export function decodeAny(received: unknown): AnyMessage {
  checkVersion(received);
  const { verb } = object({ verb: text }).read(received, "");
  if (!isVerb(verb)) throw unknownVerb(verb);
  return decode(verb, received) as AnyMessage;
}

/** Checks the reply to a request. Throws as {@link decode} does. */
export function decodeReply<V extends RequestVerb>(verb: V, received: unknown): ReplyMessage<V> {
  checkVersion(received);
  const { from, request } = readHead(verb, received);
  const body = object({ body: MESSAGES[verb].reply }).read(received, "").body as ReplyOf<V>;
  return { mmop: MMOP_VERSION, verb, from, request: withRequest.read({ request }, "").request, body };
}

/** Puts the envelope around a body that is checked as its receiver will check it. */
export function encode<V extends Verb>(
  verb: V,
  from: Sender,
  body: BodyOf<V>,
  ids: { readonly request?: string | undefined; readonly epoch?: number | undefined } = {},
): Message<V> {
  return decode(verb, { mmop: MMOP_VERSION, verb, from, ...withoutUndefined(ids), body });
}

/** Puts the envelope around a reply. */
export function encodeReply<V extends RequestVerb>(
  verb: V,
  from: Sender,
  request: string,
  body: ReplyOf<V>,
): ReplyMessage<V> {
  return decodeReply(verb, { mmop: MMOP_VERSION, verb, from, request, body });
}

function readHead(verb: Verb, received: unknown): { from: Sender; request?: string; epoch?: number } {
  const { verb: said, ...rest } = head.read(received, "");
  if (!isVerb(said)) throw unknownVerb(said);
  if (said === verb) return rest;
  throw new ProtocolError(
    "MR_PROTOCOL",
    `field verb: ${describeValue(said)} came where ${verb} belongs; send each verb on its own subject`,
    { details: { field: "verb" } },
  );
}

/** Throws MR_PROTOCOL_VERSION unless it is a message of this version. */
export function checkVersion(received: unknown): void {
  const { mmop } = object({ mmop: count }).read(received, "");
  if (mmop === MMOP_VERSION) return;
  throw new ProtocolError(
    "MR_PROTOCOL_VERSION",
    `field mmop: version ${mmop} is not spoken here, version ${MMOP_VERSION} is; run the same version of millrace on both sides`,
    { details: { field: "mmop", received: mmop, spoken: MMOP_VERSION } },
  );
}

export function unknownVerb(verb: string): ProtocolError {
  return new ProtocolError(
    "MR_PROTOCOL",
    `field verb: ${describeValue(verb)} is not a verb of MMOP/${MMOP_VERSION}; run the same version of millrace on both sides`,
    { details: { field: "verb" } },
  );
}

function withoutUndefined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
