import type { Backplane } from "../backplane/contract.ts";
import type { NodeKind } from "../definition/shape.ts";
import type { Env, Timer } from "../env/env.ts";
import { ERROR_CODES, type ErrorCode, type ErrorInfo, RunError } from "../errors.ts";
import { MmopClient } from "../mmop/client.ts";
import type { Sender } from "../mmop/envelope.ts";
import type { BodyOf, ReplyOf } from "../mmop/messages.ts";
import { MmopServer } from "../mmop/server.ts";
import { Members } from "./members.ts";
import { type Deployment, RunController } from "./run-controller.ts";
import { DRAIN_GRACE_MS } from "./staff.ts";

const LEASE_TTL_MS = 3_000;

export interface CoordinatorOptions {
  readonly env: Env;
  readonly backplane: Backplane;
  readonly self: Sender;
  readonly version: string;
  onError(error: Error): void;
}

/** Reconciles what is to run with what does run. A role under a lease: its epoch goes with every command. */
export class Coordinator {
  readonly server: MmopServer;
  readonly #options: CoordinatorOptions;
  readonly #client: MmopClient;
  readonly #runs = new Map<string, RunController>();
  readonly #members: Members;
  #epoch: number | undefined;
  #renewal: Timer | undefined;
  #release: (() => Promise<void>) | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { backplane, env, self } = options;
    this.#client = new MmopClient(backplane, { env, self, epoch: () => this.#epoch });
    this.server = new MmopServer(backplane, { self, onError: options.onError });
    this.#members = new Members(env.clock);
    this.#serve();
  }

  /** Takes the lease and begins to serve. */
  async start(): Promise<void> {
    const { backplane, env, self } = this.#options;
    const lease = backplane.lease("coordinator", {
      ttlMs: LEASE_TTL_MS,
      holder: `${self.name}/${self.boot}`,
    });
    this.#epoch = await lease.acquire();
    if (this.#epoch === undefined)
      throw new RunError("MR_STALE_EPOCH", `coordinator ${self.name}: another one holds the lease`);
    this.#renewal = env.timers.every(
      LEASE_TTL_MS / 4,
      () => {
        void lease.renew().then(async (renewed) => {
          // n.b. in one process the lease lapses only when the whole process was stopped for a while.
          if (!renewed) this.#epoch = (await lease.acquire()) ?? this.#epoch;
        }, this.#options.onError);
      },
      { background: true },
    );
    this.#release = () => lease.release();
    await this.server.listen();
  }

  /** Starts a run on an agent and follows it. */
  async deploy(deployment: Deployment, start: BodyOf<"agent.start-run">): Promise<RunController> {
    const controller = new RunController(this.#options.env, this.#client, deployment);
    this.#runs.set(deployment.run, controller);
    let doneSources: readonly string[] | undefined;
    try {
      ({ doneSources } = await this.#client.request("agent.start-run", deployment.agent, start, {
        timeoutMs: 120_000,
      }));
    } catch (error) {
      this.#runs.delete(deployment.run);
      throw error;
    }
    await controller.start(doneSources);
    return controller;
  }

  #controllerOf(run: string): RunController {
    const controller = this.#runs.get(run);
    if (controller === undefined)
      throw new RunError("MR_RUN_UNKNOWN", `run ${run}: this coordinator does not have it`);
    return controller;
  }

  #serve(): void {
    const { version } = this.#options;
    this.server
      .on("coord.ping", () => ({ version, epoch: this.#epoch ?? 0 }))
      .on("coord.status", async ({ run }) => {
        const controllers = run === undefined ? [...this.#runs.values()] : [this.#controllerOf(run)];
        return { runs: await Promise.all(controllers.map(statusOf)) };
      })
      .on("coord.stop", async ({ run, now }) => {
        const controller = this.#controllerOf(run);
        await controller.stop(now);
        return { status: controller.status };
      })
      .on("coord.dead-replay", ({ run, stage, ids }) => this.#controllerOf(run).replay(stage, ids))
      .on("coord.close-source", async ({ run, source }) => {
        const controller = this.#controllerOf(run);
        await controller.commands.closeSource(source);
        return { status: controller.status };
      })
      .on("coord.pause", async ({ run, stage, stop, now }) => {
        const controller = this.#controllerOf(run);
        await controller.commands.hold(stage, stop ? "stopped" : "paused", now);
        return { status: statusNow(controller) };
      })
      .on("coord.resume", async ({ run, stage }) => {
        const controller = this.#controllerOf(run);
        await controller.commands.release(stage);
        return { status: statusNow(controller) };
      })
      .on("coord.scale", async ({ run, stage, min, max }) => ({
        instances: await this.#controllerOf(run).commands.scale(stage, min, max),
      }))
      .on("coord.agent-ready", (body, { from }) => {
        this.#members.join(from, body);
        return { epoch: this.#epoch ?? 0 };
      })
      .on("hb", (body, { from }) => this.#members.beat(from, body))
      .on("coord.agent-info", () => ({ agents: this.#members.info() }))
      .on("coord.start-instance", async ({ run, stage }) => {
        const controller = this.#runs.get(run);
        if (controller === undefined) return refusal(`there is no run ${run}`, 400);
        return await controller.commands.addInstance(stage);
      })
      .on("coord.stop-agent", async ({ agent }) => {
        if (!this.#members.has(agent)) return refusal(`could not stop agent ${agent}: it is not known`, 400);
        await this.#client.request("agent.shutdown", agent, { reason: "asked to", graceMs: DRAIN_GRACE_MS });
        return { outcome: "success", agent };
      })
      .on("coord.pipeline-info", ({ run }) => {
        const controllers = run === undefined ? [...this.#runs.values()] : [this.#controllerOf(run)];
        return { pipelines: controllers.map(pipelineInfoOf) };
      })
      .on("evt.instance-started", (body) => this.#runs.get(body.run)?.onStarted(body))
      .on("evt.instance-exited", (body) => this.#runs.get(body.run)?.onExited(body))
      .on("evt.stream-empty", ({ run, stage }) => this.#runs.get(run)?.look(stage))
      .on("evt.streams-restarted", (body) => this.#runs.get(body.run)?.look())
      .on("evt.breaker", ({ run, stage, state, what }) => {
        if (state !== "given-up") return;
        this.#runs
          .get(run)
          ?.fail("MR_BREAKER_OPEN", `stage ${stage}: ${what}, and so did every try for five minutes`);
      })
      .on("evt.run-failed", ({ run, error }) => this.#fail(run, error))
      .on("evt.engine-failed", ({ run, error }) => this.#fail(run, error));
  }

  #fail(run: string, error: ErrorInfo): void {
    const isKnown = error.code !== undefined && error.code in ERROR_CODES;
    this.#runs.get(run)?.fail(isKnown ? (error.code as ErrorCode) : "MR_INTERNAL", error.message, error);
  }

  async stop(): Promise<void> {
    this.#renewal?.cancel();
    this.server.close();
    await this.#release?.();
  }
}

function statusNow(controller: RunController): RunReport["status"] {
  return controller.isPaused ? "paused" : controller.status;
}

type RunReport = ReplyOf<"coord.status">["runs"][number];

async function statusOf(controller: RunController): Promise<RunReport> {
  const { run, shape } = controller.deployment;
  const stats = controller.isOver ? controller.stats : await controller.scan().catch(() => controller.stats);
  return {
    run,
    pipeline: shape.name,
    status: statusNow(controller),
    startedAtMs: controller.startedAtMs,
    ...(stats?.disk && !controller.isOver && { disk: stats.disk }),
    ...(stats?.trouble && !controller.isOver && { trouble: stats.trouble }),
    stages: shape.nodes.map(({ name, kind }) => {
      const stream = stats?.streams.find((known) => known.name === name);
      const counts = stats?.counts[name] ?? {};
      const hold = controller.holdOf(name);
      return {
        stage: name,
        kind,
        instances: controller.instancesOf(name),
        ...(hold === undefined ? {} : { hold }),
        ...(stream?.breaker === undefined ? {} : { breaker: stream.breaker }),
        waiting: stream?.waiting ?? 0,
        unsettled: stream?.unsettled ?? 0,
        delayed: stream?.delayed ?? 0,
        suspects: stream?.suspects ?? 0,
        counts: countsOf(counts, kind),
      };
    }),
    ...(controller.error === undefined ? {} : { error: controller.error }),
  };
}

/**
 * The counts that are promised, whatever else the streams process counts. Of a source only what it gave is a count;
 * a push source has items that did not get through as well, and they are all that it has accepted.
 */
export function countsOf(
  counters: Readonly<Record<string, number>>,
  kind: NodeKind,
): RunReport["stages"][number]["counts"] {
  const { dead = 0, discarded = 0, quarantined = 0, emitted = 0 } = counters;
  if (kind === "source") {
    const accepted = dead + discarded + quarantined;
    return { accepted, completed: 0, filtered: 0, dead, discarded, quarantined, emitted };
  }
  return {
    accepted: counters.accepted ?? 0,
    completed: counters.completed ?? 0,
    filtered: counters.filtered ?? 0,
    dead: counters.dead ?? 0,
    discarded: counters.discarded ?? 0,
    quarantined: counters.quarantined ?? 0,
    emitted: counters.emitted ?? 0,
  };
}

function refusal(message: string, code: number): { outcome: "failure"; message: string; code: number } {
  return { outcome: "failure", message, code };
}

function pipelineInfoOf(controller: RunController): ReplyOf<"coord.pipeline-info">["pipelines"][number] {
  const { run, shape } = controller.deployment;
  return {
    run,
    pipeline: shape.name,
    stages: shape.nodes.map(({ name, kind }) => ({
      stage: name,
      kind,
      counts: {
        running: controller.instancesOf(name),
        queued: 0,
        completed: controller.isCompleted(name) ? 1 : 0,
      },
    })),
  };
}
