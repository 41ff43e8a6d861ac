import { engineTrouble, errorBrief, nodeKind, runStatus, stageCounts } from "./reports.ts";
import { count, flag, list, number, object, oneOf, optional, outcome, text } from "./schema.ts";

/** Anyone → coordinator: requests on `mr.v1.coord.<verb>`. */
const ERRORS = ["MR_PROTOCOL", "MR_PROTOCOL_VERSION"] as const;
const RUN_ERRORS = [...ERRORS, "MR_RUN_UNKNOWN"] as const;
const COMMAND_ERRORS = [...RUN_ERRORS, "MR_RUN_OVER", "MR_STAGE_STATE"] as const;

/** Why a start or stop request was refused; `code` is HTTP's: 400 not known, 503 nobody to do it. */
const refusal = { message: text, code: count };

export const COORDINATOR_MESSAGES = {
  "coord.ping": {
    about: "Is it there? Monomyth: PING, PONG of the control client.",
    direction: "anyone → coordinator",
    body: object({}),
    reply: object({ version: text, epoch: count }),
    errors: ERRORS,
  },
  "coord.agent-ready": {
    about: "An agent says hello; the reply is its welcome. Monomyth: READY.",
    direction: "agent → coordinator",
    body: object({ version: text, cores: number, memoryBytes: count }),
    reply: object({ epoch: count }),
    errors: ERRORS,
  },
  "coord.status": {
    about: "How a run, or every run, is.",
    direction: "anyone → coordinator",
    body: object({ run: optional(text) }),
    reply: object({
      runs: list(
        object({
          run: text,
          pipeline: text,
          status: runStatus,
          startedAtMs: number,
          /** Sources wait and pushes are refused: there is little room on the disk. */
          disk: optional(oneOf("low")),
          /** The run's broker is away or takes nothing: the run waits. */
          trouble: optional(engineTrouble),
          stages: list(
            object({
              stage: text,
              kind: nodeKind,
              instances: count,
              /** Why it gets no items, when somebody said so. */
              hold: optional(oneOf("paused", "stopped")),
              /** Nearly all of its items failed: it waits, and tries one now and then. */
              breaker: optional(oneOf("open")),
              waiting: count,
              unsettled: count,
              delayed: count,
              suspects: count,
              counts: stageCounts,
            }),
          ),
          error: optional(errorBrief),
        }),
      ),
    }),
    errors: RUN_ERRORS,
  },
  "coord.stop": {
    about: "Stops a run: drained, or with `now` killed. What is unfinished is kept.",
    direction: "anyone → coordinator",
    body: object({ run: text, now: flag }),
    reply: object({ status: runStatus }),
    errors: RUN_ERRORS,
  },
  "coord.dead-replay": {
    about: "Puts dead letters of a stage back on its stream, where the stage is still at work.",
    direction: "anyone → coordinator",
    body: object({ run: text, stage: text, ids: list(text) }),
    reply: object({ replayed: count, missing: list(text), unreadable: list(text) }),
    errors: [...RUN_ERRORS, "MR_STAGE_COMPLETED", "MR_STREAM_CLOSED"],
  },
  "coord.pause": {
    about:
      "A stage, or all of them, gets no more items until it is resumed; with `stop` its source ends as well.",
    direction: "anyone → coordinator",
    body: object({
      run: text,
      stage: optional(text),
      stop: flag,
      /** Cuts off what is in hand. */
      now: flag,
    }),
    reply: object({ status: runStatus }),
    errors: COMMAND_ERRORS,
  },
  "coord.resume": {
    about: "A stage, or all of them, goes on.",
    direction: "anyone → coordinator",
    body: object({ run: text, stage: optional(text) }),
    reply: object({ status: runStatus }),
    errors: COMMAND_ERRORS,
  },
  "coord.scale": {
    about: "Brings the number of a stage's instances into a range.",
    direction: "anyone → coordinator",
    body: object({ run: text, stage: text, min: count, max: count }),
    reply: object({ instances: count }),
    errors: COMMAND_ERRORS,
  },
  "coord.close-source": {
    about: "A push source takes no more items: when all is done, the run completes.",
    direction: "anyone → coordinator",
    body: object({ run: text, source: text }),
    reply: object({ status: runStatus }),
    errors: [...RUN_ERRORS, "MR_RUN_OVER", "MR_NOT_PUSHABLE"],
  },
  "coord.pipeline-info": {
    about: "Every stage of every pipeline with its counts of instances. Monomyth: RECIPE-INFO.",
    direction: "anyone → coordinator",
    body: object({ run: optional(text) }),
    reply: object({
      pipelines: list(
        object({
          run: text,
          pipeline: text,
          stages: list(
            object({
              stage: text,
              kind: nodeKind,
              counts: object({ running: count, queued: count, completed: count }),
            }),
          ),
        }),
      ),
    }),
    errors: RUN_ERRORS,
  },
  "coord.agent-info": {
    about: "Every agent with what runs on it. Monomyth: WORKER-INFO.",
    direction: "anyone → coordinator",
    body: object({}),
    reply: object({
      agents: list(
        object({
          agent: text,
          boot: text,
          state: oneOf("live", "suspect", "lost", "draining"),
          cores: number,
          memoryBytes: count,
          stages: list(object({ run: text, stage: text, instances: count })),
        }),
      ),
    }),
    errors: ERRORS,
  },
  "coord.start-instance": {
    about: "One more instance of a stage, please. Monomyth: START-NODE-REQUEST, -SUCCESS, -FAILURE.",
    direction: "anyone → coordinator",
    body: object({ run: text, stage: text }),
    reply: outcome({ agent: text, id: text }, refusal),
    errors: ERRORS,
  },
  "coord.stop-agent": {
    about: "Shut an agent down, please. Monomyth: STOP-WORKER-REQUEST, -SUCCESS, -FAILURE.",
    direction: "anyone → coordinator",
    body: object({ agent: text }),
    reply: outcome({ agent: text }, refusal),
    errors: ERRORS,
  },
} as const;
