import type { ErrorCode } from "../errors.ts";
import { AGENT_MESSAGES } from "./agent-messages.ts";
import { COORDINATOR_MESSAGES } from "./coordinator-messages.ts";
import { EVENT_MESSAGES } from "./event-messages.ts";
import type { Field, Of } from "./schema.ts";

/** The version of the protocol: `mmop` of every message, and `v1` of every subject. */
export const MMOP_VERSION = 1;

/** What the protocol says of one message. */
export interface MessageSpec {
  readonly about: string;
  readonly direction: "coordinator → agent" | "agent → coordinator" | "agent → all" | "anyone → coordinator";
  readonly body: Field<unknown>;
  /** Of requests; events have none. */
  readonly reply?: Field<unknown>;
  /** Codes that a request may be refused with, beside those of the way there. */
  readonly errors?: readonly ErrorCode[];
}

/**
 * Every message of MMOP/1 by its verb. The verb begins with where it goes: `agent.` to one agent, `coord.` to the
 * coordinator, `hb` and `evt.` from an agent to whoever listens.
 *
 * Each is an envelope `{ mmop, verb, from, request?, epoch?, body }` (see envelope.ts). Unknown fields are ignored; a
 * new message or field of an old one needs no new version, a changed meaning does.
 */
export const MESSAGES = {
  ...AGENT_MESSAGES,
  ...COORDINATOR_MESSAGES,
  ...EVENT_MESSAGES,
} as const satisfies Readonly<Record<string, MessageSpec>>;

export type Verb = keyof typeof MESSAGES;
export type AgentVerb = keyof typeof AGENT_MESSAGES;
export type CoordinatorVerb = keyof typeof COORDINATOR_MESSAGES;
export type EventVerb = keyof typeof EVENT_MESSAGES;
export type RequestVerb = AgentVerb | CoordinatorVerb;

export type BodyOf<V extends Verb> = Of<(typeof MESSAGES)[V]["body"]>;
export type ReplyOf<V extends RequestVerb> = Of<(typeof MESSAGES)[V]["reply"]>;

export function isVerb(value: unknown): value is Verb {
  return typeof value === "string" && Object.hasOwn(MESSAGES, value);
}

/** True for verbs that are answered. */
export function isRequestVerb(verb: Verb): verb is RequestVerb {
  return "reply" in MESSAGES[verb];
}

/** True for commands: they carry the epoch of the coordinator that gives them. */
export function isAgentVerb(verb: Verb): verb is AgentVerb {
  return Object.hasOwn(AGENT_MESSAGES, verb);
}
