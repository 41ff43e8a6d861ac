import { errorBrief, instanceReport, role } from "./reports.ts";
import { count, flag, list, nullable, number, object, oneOf, optional, text } from "./schema.ts";

/**
 * Agent → all: publications, on `mr.v1.hb.<agent>` and `mr.v1.evt.<agent>.<type>`. An event may be lost; the next
 * heartbeat tells the truth again.
 */
export const EVENT_MESSAGES = {
  hb: {
    about: "Every second: the agent lives, and this is all that runs on it.",
    direction: "agent → all",
    body: object({
      seq: count,
      boot: text,
      /** The newest coordinator epoch that the agent has seen. */
      epoch: count,
      load: number,
      freeCores: number,
      memoryBytes: count,
      /** The full list. */
      instances: list(instanceReport),
    }),
  },
  "evt.instance-started": {
    about: "An instance has done its setup and takes items.",
    direction: "agent → coordinator",
    body: object({ id: text, run: text, stage: text, role, pid: count }),
  },
  "evt.instance-exited": {
    about: "An instance has ended, and why.",
    direction: "agent → coordinator",
    body: object({
      id: text,
      run: text,
      stage: text,
      role,
      code: nullable(number),
      signal: nullable(text),
      /** Sources: whether anything was yielded before it threw. */
      progressed: flag,
      cause: oneOf("drained", "crashed", "killed", "hung", "source-done", "setup-failed", "source-failed"),
      error: optional(errorBrief),
    }),
  },
  "evt.stage-completed": {
    about: "A stage's last instance here is done. Monomyth: WORKER-TASK-COMPLETED.",
    direction: "agent → coordinator",
    body: object({ run: text, stage: text }),
  },
  "evt.streams-restarted": {
    about: "The streams process of a run was started anew: claims of the earlier one are void.",
    direction: "agent → coordinator",
    body: object({ run: text, boot: text, restarts: count, error: optional(errorBrief) }),
  },
  "evt.stream-empty": {
    about: "A stage's stream holds nothing any more: a moment to look whether the stage is complete.",
    direction: "agent → coordinator",
    body: object({ run: text, stage: text }),
  },
  "evt.engine-failed": {
    about: "The run's streams take nothing any more: the disk is full, say. What is stored stays.",
    direction: "agent → coordinator",
    body: object({ run: text, error: errorBrief }),
  },
  "evt.breaker": {
    about:
      "A stage is paused because nearly all of its items failed, goes on, or has been paused for too long.",
    direction: "agent → coordinator",
    body: object({ run: text, stage: text, state: oneOf("open", "closed", "given-up"), what: text }),
  },
  "evt.run-failed": {
    about: "An instance has seen that its run cannot go on: a job's task has failed for good, say.",
    direction: "agent → coordinator",
    body: object({ run: text, stage: text, error: errorBrief }),
  },
  "evt.suspects": {
    about: "So many items of a stage wait to be run alone, because their instance died.",
    direction: "agent → coordinator",
    body: object({ run: text, stage: text, count }),
  },
} as const;
