import { describeValue, ProtocolError } from "../errors.ts";
import { type EventVerb, isAgentVerb, MMOP_VERSION, type RequestVerb } from "./messages.ts";

const PREFIX = `mr.v${MMOP_VERSION}`;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The coordinator's responders share a queue: one of them answers. */
export const COORDINATOR_QUEUE = "coordinator";
/** Whom to ask what begins with `coord.`, whoever has that role. */
export const COORDINATOR = "coordinator";

/** `mr.v1.agent.<agent>.<verb>` or `mr.v1.coord.<verb>`. Throws MR_BAD_NAME. */
export function requestSubject(verb: RequestVerb, target: string): string {
  if (!isAgentVerb(verb)) return `${PREFIX}.${verb}`;
  return `${PREFIX}.agent.${checkAgentName(target)}.${verb.slice("agent.".length)}`;
}

/** `mr.v1.hb.<agent>` or `mr.v1.evt.<agent>.<type>`. Throws MR_BAD_NAME. */
export function eventSubject(verb: EventVerb, agent: string): string {
  if (verb === "hb") return `${PREFIX}.hb.${checkAgentName(agent)}`;
  return `${PREFIX}.evt.${checkAgentName(agent)}.${verb.slice("evt.".length)}`;
}

/** All that an agent is asked. */
export function agentRequests(agent: string): string {
  return `${PREFIX}.agent.${checkAgentName(agent)}.>`;
}

export const COORDINATOR_REQUESTS = `${PREFIX}.coord.>`;
export const HEARTBEATS = `${PREFIX}.hb.*`;
export const EVENTS = `${PREFIX}.evt.*.*`;

/** The verb that a subject stands for, known or not, and the agent that it names. */
export function readSubject(subject: string): { readonly verb: string; readonly agent: string | undefined } {
  const [kind = "", second = "", ...rest] = subject.slice(PREFIX.length + 1).split(".");
  if (kind === "hb") return { verb: kind, agent: second };
  if (kind === "coord") return { verb: [kind, second, ...rest].join("."), agent: undefined };
  return { verb: [kind, ...rest].join("."), agent: second };
}

/** Agents stand in subjects as one token: no dots. Throws MR_BAD_NAME. */
export function checkAgentName(name: string): string {
  if (NAME.test(name)) return name;
  throw new ProtocolError(
    "MR_BAD_NAME",
    `agent ${describeValue(name)}: not a valid name; use letters, digits, '-' and '_', at most 64`,
  );
}
