import type { BodyOf, ReplyOf, RequestVerb, Verb } from "../../src/mmop/messages.ts";

/** One body of every message with every field, optional ones too. */

const error = {
  name: "TypeError",
  message: "x is undefined",
  stack: "TypeError: x\n  at y",
  code: "MR_SETUP_FAILED",
};
const instance = {
  id: "i-1",
  run: "r1",
  stage: "parse",
  role: "worker",
  state: "running",
  pid: 4711,
  startedAtMs: 1_700_000_000_000.5,
  restarts: 2,
  counters: { done: 17, "rate/s": 1.5 },
  lastError: error,
} as const;
const counts = { accepted: 7, completed: 1, filtered: 2, dead: 1, discarded: 1, quarantined: 2, emitted: 9 };
const node = {
  name: "parse",
  kind: "stage",
  settings: {
    batch: { size: 500, withinMs: 100 },
    concurrency: { min: 1, max: 8 },
    instances: { min: 1, max: 2 },
    retry: { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: "full" } },
    timeoutMs: 60_000,
    graceMs: 10_000,
    memoryBytes: 1e9,
  },
} as const;

export const BODIES: { readonly [V in Verb]: BodyOf<V> } = {
  "agent.ping": {},
  "agent.agent-info": {},
  "agent.start-run": {
    run: "r1",
    directory: "/data/orders/r1",
    shape: {
      name: "orders",
      nodes: [node],
      edges: [{ from: "feed", to: "parse", conditional: false }],
      durability: "disk",
    },
    params: { limit: 3 },
    bundle: { path: "/data/bundles/0a1b.mjs", exportName: "default", hash: "0a1b" },
    engine: { kind: "file", durability: "disk" },
  },
  "agent.start-instance": { run: "r1", stage: "feed", id: "i-1", role: "source", resume: "gqFhAQ==" },
  "agent.drain-instance": { id: "i-1", reason: "stopped", graceMs: 30_000 },
  "agent.pause-instance": { id: "i-1", paused: true },
  "agent.stop-instance": { id: "i-1" },
  "agent.complete-stage": { run: "r1", stage: "parse" },
  "agent.stop-run": { run: "r1" },
  "agent.close-source": { run: "r1", source: "feed" },
  "agent.streams-stats": { run: "r1" },
  "agent.dead-replay": { run: "r1", stage: "parse", ids: ["0a1b-7"] },
  "agent.shutdown": { reason: "operator", graceMs: 30_000 },
  "coord.ping": {},
  "coord.agent-ready": { version: "0.1.0", cores: 2, memoryBytes: 4e9 },
  "coord.status": { run: "r1" },
  "coord.pause": { run: "r1", stage: "parse", stop: false, now: false },
  "coord.resume": { run: "r1" },
  "coord.scale": { run: "r1", stage: "parse", min: 2, max: 4 },
  "coord.close-source": { run: "r1", source: "feed" },
  "coord.stop": { run: "r1", now: true },
  "coord.dead-replay": { run: "r1", stage: "parse", ids: ["0a1b-7"] },
  "coord.pipeline-info": { run: "r1" },
  "coord.agent-info": {},
  "coord.start-instance": { run: "r1", stage: "parse" },
  "coord.stop-agent": { agent: "a1" },
  hb: {
    seq: 3,
    boot: "b1",
    epoch: 4,
    load: 0.7,
    freeCores: 1.5,
    memoryBytes: 1e9,
    instances: [instance],
  },
  "evt.instance-started": { id: "i-1", run: "r1", stage: "parse", role: "suspect", pid: 4711 },
  "evt.instance-exited": {
    id: "i-1",
    run: "r1",
    stage: "parse",
    role: "worker",
    code: null,
    signal: "SIGKILL",
    progressed: false,
    cause: "killed",
    error,
  },
  "evt.stage-completed": { run: "r1", stage: "parse" },
  "evt.streams-restarted": { run: "r1", boot: "s2", restarts: 1, error },
  "evt.stream-empty": { run: "r1", stage: "parse" },
  "evt.engine-failed": { run: "r1", error },
  "evt.breaker": { run: "r1", stage: "parse", state: "open", what: "990 of the last 1000 items failed" },
  "evt.run-failed": { run: "r1", stage: "process", error },
  "evt.suspects": { run: "r1", stage: "parse", count: 2 },
};

export const REPLIES: { readonly [V in RequestVerb]: readonly ReplyOf<V>[] } = {
  "agent.ping": [{ version: "0.1.0", epoch: 3 }],
  "agent.agent-info": [
    { version: "0.1.0", epoch: 3, cores: 2, memoryBytes: 4e9, runs: ["r1"], instances: [instance] },
  ],
  "agent.start-run": [{ boot: "s1", doneSources: ["feed"] }],
  "agent.start-instance": [
    { outcome: "success", id: "i-1", pid: 4711 },
    { outcome: "failure", category: "recipe", reason: "this agent has no stage parse" },
  ],
  "agent.drain-instance": [{ known: true }],
  "agent.pause-instance": [{ known: true }],
  "agent.stop-instance": [{ known: false }],
  "agent.complete-stage": [{ instances: 2 }],
  "agent.stop-run": [{ known: true }],
  "agent.dead-replay": [{ replayed: 3, missing: ["0a1b-7"], unreadable: ["0a1b-8"] }],
  "agent.close-source": [{}],
  "agent.streams-stats": [
    {
      boot: "s1",
      streams: [{ name: "parse", waiting: 1, unsettled: 2, delayed: 3, suspects: 0, appended: 6 }],
      counts: { parse: counts },
    },
  ],
  "agent.shutdown": [{ instances: 2 }],
  "coord.ping": [{ version: "0.1.0", epoch: 3 }],
  "coord.agent-ready": [{ epoch: 3 }],
  "coord.status": [
    {
      runs: [
        {
          run: "r1",
          pipeline: "orders",
          status: "failed",
          startedAtMs: 1.5,
          stages: [
            {
              stage: "parse",
              kind: "stage",
              instances: 1,
              waiting: 1,
              unsettled: 1,
              delayed: 0,
              suspects: 0,
              counts,
            },
          ],
          error,
        },
      ],
    },
  ],
  "coord.pause": [{ status: "paused" }],
  "coord.resume": [{ status: "running" }],
  "coord.scale": [{ instances: 2 }],
  "coord.close-source": [{ status: "running" }],
  "coord.stop": [{ status: "stopped" }],
  "coord.dead-replay": [{ replayed: 3, missing: ["0a1b-7"], unreadable: ["0a1b-8"] }],
  "coord.pipeline-info": [
    {
      pipelines: [
        {
          run: "r1",
          pipeline: "orders",
          stages: [{ stage: "parse", kind: "stage", counts: { running: 1, queued: 0, completed: 4 } }],
        },
      ],
    },
  ],
  "coord.agent-info": [
    {
      agents: [
        {
          agent: "a1",
          boot: "b1",
          state: "live",
          cores: 2,
          memoryBytes: 4e9,
          stages: [{ run: "r1", stage: "parse", instances: 1 }],
        },
      ],
    },
  ],
  "coord.start-instance": [
    { outcome: "success", agent: "a1", id: "i-1" },
    { outcome: "failure", message: "no active agents", code: 503 },
  ],
  "coord.stop-agent": [
    { outcome: "success", agent: "a1" },
    { outcome: "failure", message: "could not shut down unrecognized agent x", code: 400 },
  ],
};
