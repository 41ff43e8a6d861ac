import { engineTrouble, instanceReport, pipelineShape, role, streamStats } from "./reports.ts";
import {
  count,
  flag,
  json,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  outcome,
  record,
  text,
} from "./schema.ts";

/**
 * Coordinator → agent: requests on `mr.v1.agent.<agent>.<verb>`. Every one carries the coordinator's epoch and is
 * idempotent: sent twice, it does what it does once.
 */
const COMMAND_ERRORS = ["MR_PROTOCOL", "MR_PROTOCOL_VERSION", "MR_STALE_EPOCH"] as const;
const RUN_ERRORS = [...COMMAND_ERRORS, "MR_RUN_UNKNOWN"] as const;

export const AGENT_MESSAGES = {
  "agent.ping": {
    about: "Is it there? Monomyth: PING, PONG.",
    direction: "coordinator → agent",
    body: object({}),
    reply: object({ version: text, epoch: count }),
    errors: COMMAND_ERRORS,
  },
  "agent.agent-info": {
    about: "What the agent offers and all that runs on it.",
    direction: "coordinator → agent",
    body: object({}),
    reply: object({
      version: text,
      epoch: count,
      cores: number,
      memoryBytes: count,
      runs: list(text),
      instances: list(instanceReport),
    }),
    errors: COMMAND_ERRORS,
  },
  "agent.start-run": {
    about: "Makes the run's data ready and starts its streams process.",
    direction: "coordinator → agent",
    body: object({
      run: text,
      /** Where the run's data lies. */
      directory: text,
      shape: pipelineShape,
      /** As the schema's validation gave them. */
      params: json,
      /** Jobs: the file that split reads. */
      input: optional(object({ as: oneOf("value", "values", "text"), path: text })),
      bundle: object({ path: text, exportName: text, hash: text }),
      engine: object({
        /** `broker`: that of the agent, which alone knows how to get in. */
        kind: oneOf("memory", "file", "broker"),
        durability: oneOf("disk", "process"),
        /** Of the disk; 0: no watch is kept. */
        keepFreeBytes: optional(count),
      }),
    }),
    reply: object({ boot: text, doneSources: optional(list(text)) }),
    errors: [
      ...COMMAND_ERRORS,
      "MR_DATA_LOCKED",
      "MR_DATA_NOT_OURS",
      "MR_DATA_UNWRITABLE",
      "MR_LOG_VERSION",
      "MR_DISK_FULL",
      "MR_BAD_OPTION",
      "MR_ENGINE_UNREACHABLE",
      "MR_ENGINE_REFUSED",
      "MR_ENGINE_TOO_OLD",
      "MR_ENGINE_CLIENT_MISSING",
      "MR_ENGINE_QUEUE_DIFFERS",
    ],
  },
  "agent.start-instance": {
    about: "Starts an instance. Monomyth: START-NODE, START-NODE-SUCCESS, START-NODE-FAILURE.",
    direction: "coordinator → agent",
    body: object({
      run: text,
      stage: text,
      id: text,
      role,
      /** A source's last durable token as stored, base64; absent at its first start. */
      resume: optional(text),
    }),
    reply: outcome(
      { id: text, pid: nullable(count) },
      { category: oneOf("recipe", "spawn", "capacity", "draining"), reason: text },
    ),
    errors: RUN_ERRORS,
  },
  "agent.drain-instance": {
    about: "Lets an instance finish what it holds, then end; killed after `graceMs`.",
    direction: "coordinator → agent",
    body: object({
      id: text,
      reason: oneOf("completed", "stopped", "paused", "scaled", "cancelled", "replaced"),
      graceMs: count,
    }),
    reply: object({ known: flag }),
    errors: COMMAND_ERRORS,
  },
  "agent.pause-instance": {
    about: "A source yields no more for now, or goes on.",
    direction: "coordinator → agent",
    body: object({ id: text, paused: flag }),
    reply: object({ known: flag }),
    errors: COMMAND_ERRORS,
  },
  "agent.stop-instance": {
    about:
      "Cancels what an instance has in hand and ends it, by SIGKILL after `graceMs`; what it held comes again.",
    direction: "coordinator → agent",
    body: object({ id: text, graceMs: optional(count) }),
    reply: object({ known: flag }),
    errors: COMMAND_ERRORS,
  },
  "agent.complete-stage": {
    about: "A stage's instances finish once its streams are empty. Monomyth: COMPLETE-TASK.",
    direction: "coordinator → agent",
    body: object({ run: text, stage: text }),
    reply: object({ instances: count }),
    errors: RUN_ERRORS,
  },
  "agent.stop-run": {
    about: "Ends a run's instances and its streams process; its data stays.",
    direction: "coordinator → agent",
    body: object({ run: text }),
    reply: object({ known: flag }),
    errors: COMMAND_ERRORS,
  },
  "agent.close-source": {
    about: "A push source takes no more items, for good.",
    direction: "coordinator → agent",
    body: object({ run: text, source: text }),
    reply: object({}),
    errors: [...RUN_ERRORS, "MR_STREAM_CLOSED"],
  },
  "agent.streams-stats": {
    about: "The truth of a run's streams: completion is decided from it.",
    direction: "coordinator → agent",
    body: object({ run: text }),
    reply: object({
      /** Of the streams process. */
      boot: text,
      /** Sources wait and pushes are refused: there is little room on the disk. */
      disk: optional(oneOf("low")),
      /** The run's broker is away or takes nothing: the run waits. */
      trouble: optional(engineTrouble),
      streams: list(streamStats),
      /** Durable counters by stage: those of a stage's counts, repeats by cause, retries. */
      counts: record(record(number)),
    }),
    errors: [...RUN_ERRORS, "MR_STREAM_CLOSED"],
  },
  "agent.dead-replay": {
    about: "Puts dead letters of a stage back on its stream. Sent twice, the second time they are missing.",
    direction: "coordinator → agent",
    body: object({ run: text, stage: text, ids: list(text) }),
    reply: object({ replayed: count, missing: list(text), unreadable: list(text) }),
    errors: [...RUN_ERRORS, "MR_STREAM_CLOSED"],
  },
  "agent.shutdown": {
    about: "Drains all instances, ends all runs, leaves. Monomyth: SHUTDOWN.",
    direction: "coordinator → agent",
    body: object({ reason: text, graceMs: count }),
    reply: object({ instances: count }),
    errors: COMMAND_ERRORS,
  },
} as const;
