import type { NodeShape, PipelineShape } from "../definition/shape.ts";
import type { ErrorInfo } from "../errors.ts";
import {
  count,
  type Field,
  flag,
  list,
  nullable,
  number,
  type Of,
  object,
  oneOf,
  optional,
  record,
  text,
} from "./schema.ts";

/** What several messages carry. */

export const role = oneOf("worker", "source", "suspect");
export const nodeKind = oneOf("source", "stage", "sink");
export const runStatus = oneOf("starting", "running", "draining", "paused", "completed", "stopped", "failed");

const MESSAGE_CHARACTERS = 500;
const STACK_CHARACTERS = 1_000;
const error = object({ name: text, message: text, stack: text, code: optional(text) });

/** An error in a message: clipped, because many of them must fit into one. */
export const errorBrief: Field<ErrorInfo> = {
  ...error,
  read: (value, path) => {
    const info = error.read(value, path);
    return {
      ...info,
      message: info.message.slice(0, MESSAGE_CHARACTERS),
      stack: info.stack.slice(0, STACK_CHARACTERS),
    };
  },
};

export const instanceReport = object({
  id: text,
  run: text,
  stage: text,
  role,
  state: oneOf("starting", "setup", "running", "draining", "exited"),
  pid: nullable(count),
  startedAtMs: number,
  restarts: count,
  counters: optional(record(number)),
  lastError: optional(errorBrief),
});
export type InstanceReport = Of<typeof instanceReport>;

/** Deliveries of one stage; in a completed run accepted = completed + filtered + dead + discarded + quarantined. */
export const stageCounts = object({
  accepted: count,
  completed: count,
  filtered: count,
  dead: count,
  discarded: count,
  quarantined: count,
  emitted: count,
});

/** Truth of one stream, from the streams process. */
export const streamStats = object({
  name: text,
  waiting: count,
  unsettled: count,
  delayed: count,
  suspects: count,
  /** Grows with every append: two equal scans mean that nothing came between. */
  appended: count,
  /** Of a push source that takes no more items. */
  closed: optional(flag),
  /** Of a stage that is paused because nearly all of its items failed. */
  breaker: optional(oneOf("open")),
});
export type StreamStats = Of<typeof streamStats>;

/** What stands between a run's engine and its broker, in words for people, and for how long it has. */
export const engineTrouble = object({ what: text, forMs: number });

const range = object({ min: number, max: number });

/** Handed on whole: what a later version adds to a node's settings reaches the instance. */
const nodeShape: Field<NodeShape> = object(
  {
    name: text,
    kind: nodeKind,
    input: optional(oneOf("push")),
    settings: object(
      {
        batch: optional(object({ size: number, withinMs: number }, { open: true })),
        concurrency: range,
        instances: range,
        retry: object(
          {
            attempts: number,
            backoff: object({
              initialMs: number,
              factor: number,
              maxMs: number,
              jitter: oneOf("full", "none"),
            }),
          },
          { open: true },
        ),
        timeoutMs: number,
        graceMs: number,
        memoryBytes: number,
      },
      { open: true },
    ),
  },
  { open: true },
);

export const pipelineShape: Field<PipelineShape> = object(
  {
    name: text,
    nodes: list(nodeShape),
    edges: list(object({ from: text, to: text, conditional: flag }, { open: true })),
    durability: oneOf("disk", "process"),
  },
  { open: true },
);
