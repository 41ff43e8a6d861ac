import type { Backplane } from "../backplane/contract.ts";
import type { Env, Timer } from "../env/env.ts";
import { ProtocolError, RunError } from "../errors.ts";
import { MmopClient } from "../mmop/client.ts";
import type { Sender } from "../mmop/envelope.ts";
import type { ReplyOf } from "../mmop/messages.ts";
import { MmopServer } from "../mmop/server.ts";
import { AgentRun, type AgentRunEvents } from "./agent-run.ts";
import type { BrokerAccess } from "./broker-access.ts";
import { doneSources } from "./done-sources.ts";
import type { InstanceSlot } from "./instance-slot.ts";
import { logTrouble } from "./trouble-log.ts";

const HEARTBEAT_MS = 1_000;

export interface AgentOptions {
  readonly env: Env;
  readonly backplane: Backplane;
  readonly self: Sender;
  readonly version: string;
  /** A short folder of mode 0700 for the sockets of runs. */
  readonly runtimeDirectory: string;
  /** The broker that runs may use. */
  readonly broker?: BrokerAccess;
  /** What instances print and log, and how far they are: for people on this machine. */
  readonly display: Pick<AgentRunEvents, "onOutput" | "onLog" | "onProgress"> & {
    onRestart(stage: string, what: string): void;
  };
  onError(error: Error): void;
}

const BREAKER_WORDS = {
  open: (what: string) => `paused: ${what}; it tries one call now and then until one succeeds`,
  closed: (what: string) => `goes on: ${what}`,
  "given-up": (what: string) => `given up: it was paused for five minutes, since ${what}`,
} as const;

/** Supervises what runs on one machine, as the coordinator asks over the backplane. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #client: MmopClient;
  readonly #server: MmopServer;
  readonly #runs = new Map<string, AgentRun>();
  #heartbeat: Timer | undefined;
  #sequence = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { backplane, env, self } = options;
    this.#client = new MmopClient(backplane, { env, self });
    this.#server = new MmopServer(backplane, { self, onError: options.onError });
    this.#serve();
  }

  async start(): Promise<void> {
    await this.#server.listen();
    this.#heartbeat = this.#options.env.timers.every(HEARTBEAT_MS, () => {
      for (const run of this.#runs.values()) run.check();
      this.#beat();
    });
    this.#beat();
  }

  /** Says hello to the coordinator: from its welcome on the agent is a member. */
  async join(): Promise<void> {
    const { env, version } = this.#options;
    await this.#client.request("coord.agent-ready", "coordinator", {
      version,
      cores: env.host.cores,
      memoryBytes: env.host.memoryBytes,
    });
  }

  run(run: string): AgentRun | undefined {
    return this.#runs.get(run);
  }

  #knownRun(run: string): AgentRun {
    const known = this.#runs.get(run);
    if (known === undefined) throw new RunError("MR_RUN_UNKNOWN", `run ${run}: this agent does not have it`);
    return known;
  }

  #broker(): BrokerAccess {
    const { broker } = this.#options;
    if (broker !== undefined) return broker;
    throw new ProtocolError("MR_PROTOCOL", "agent: it was not told of any broker");
  }

  #slotOf(id: string): { run: AgentRun; slot: InstanceSlot } | undefined {
    for (const run of this.#runs.values()) {
      const slot = run.slots.get(id);
      if (slot !== undefined) return { run, slot };
    }
    return undefined;
  }

  #serve(): void {
    const { env, version } = this.#options;
    this.#server
      .on("agent.ping", () => ({ version, epoch: this.#server.epoch }))
      .on("agent.agent-info", () => ({
        version,
        epoch: this.#server.epoch,
        cores: env.host.cores,
        memoryBytes: env.host.memoryBytes,
        runs: [...this.#runs.keys()],
        instances: this.#reports(),
      }))
      .on("agent.start-run", async (body) => {
        const known = this.#runs.get(body.run);
        if (known !== undefined) return await startedOf(known);
        const { run, directory, shape, params, input, bundle, engine } = body;
        const started: AgentRun = new AgentRun(
          env,
          {
            run,
            directory,
            shape,
            params,
            ...(input && { input }),
            bundle,
            engine,
            ...(engine.kind === "broker" && { broker: this.#broker() }),
            runtimeDirectory: this.#options.runtimeDirectory,
          },
          this.#eventsOf(run),
        );
        this.#runs.set(run, started);
        try {
          const { damage } = await started.start();
          for (const place of damage)
            this.#options.display.onLog("streams", "error", `the log is damaged: ${place}`, undefined);
          return await startedOf(started);
        } catch (error) {
          this.#runs.delete(run);
          throw error;
        }
      })
      .on("agent.start-instance", async (body) => {
        const run = this.#knownRun(body.run);
        try {
          const slot = await run.startInstance(body.id, body.stage, body.role);
          return { outcome: "success", id: slot.id, pid: slot.pid ?? null };
        } catch (error) {
          return { outcome: "failure", category: "spawn", reason: String(error) };
        }
      })
      .on("agent.drain-instance", ({ id, reason, graceMs }) => {
        const found = this.#slotOf(id);
        return { known: found?.run.drainInstance(id, reason, graceMs) === true };
      })
      .on("agent.pause-instance", ({ id, paused }) => {
        const found = this.#slotOf(id);
        found?.slot.pause(paused);
        return { known: found !== undefined };
      })
      .on("agent.stop-instance", ({ id, graceMs }) => {
        const found = this.#slotOf(id);
        if (graceMs === undefined) found?.slot.kill();
        else found?.slot.cancel(graceMs);
        return { known: found !== undefined };
      })
      .on("agent.complete-stage", ({ run, stage }) => {
        let instances = 0;
        for (const slot of this.#knownRun(run).slots.values()) {
          if (slot.stage !== stage) continue;
          slot.complete();
          instances++;
        }
        return { instances };
      })
      .on("agent.stop-run", async ({ run }) => {
        const known = this.#runs.get(run);
        await known?.stop();
        this.#runs.delete(run);
        return { known: known !== undefined };
      })
      .on("agent.close-source", async ({ run, source }) => {
        await this.#knownRun(run).streams.request("close", { stream: source });
        return {};
      })
      .on("agent.streams-stats", async ({ run }) => {
        const answer = await this.#knownRun(run).streams.request("stats", {});
        return {
          boot: answer.boot,
          ...(answer.disk && { disk: answer.disk }),
          ...(answer.trouble && { trouble: answer.trouble }),
          streams: answer.streams.map(
            ({ name, unsettled, delayed, claimed, suspects, appended, closed, breaker }) => ({
              name,
              waiting: Math.max(0, unsettled - delayed - claimed),
              unsettled,
              delayed,
              suspects,
              appended,
              ...(closed === undefined ? {} : { closed }),
              ...(breaker === undefined ? {} : { breaker }),
            }),
          ),
          counts: answer.counts,
        };
      })
      .on("agent.dead-replay", ({ run, stage, ids }) =>
        this.#knownRun(run).streams.request("replay-letters", { stage, ids }),
      )
      .on("agent.shutdown", async ({ graceMs }) => {
        let instances = 0;
        for (const run of this.#runs.values()) {
          for (const slot of run.slots.values()) {
            slot.drain("stopped", graceMs);
            instances++;
          }
        }
        return { instances };
      });
  }

  #eventsOf(run: string): AgentRunEvents {
    const { display } = this.#options;
    return {
      onOutput: display.onOutput,
      onLog: display.onLog,
      onProgress: display.onProgress,
      onInstanceStarted: (slot) => {
        this.#client.publish("evt.instance-started", {
          id: slot.id,
          run,
          stage: slot.stage,
          role: slot.role,
          pid: slot.pid ?? 0,
        });
      },
      onInstanceEnded: (slot, end) => {
        const { code, signal, cause, error } = end;
        if (cause === "crashed" || cause === "hung") {
          display.onRestart(slot.stage, `${slot.id} ${cause} (${signal ?? `exit code ${code}`})`);
        }
        this.#client.publish("evt.instance-exited", {
          id: slot.id,
          run,
          stage: slot.stage,
          role: slot.role,
          code,
          signal,
          cause,
          progressed: end.progressed,
          ...(error === undefined ? {} : { error }),
        });
      },
      onStageCompleted: (stage) => this.#client.publish("evt.stage-completed", { run, stage }),
      onStreamEmpty: (stage) => this.#client.publish("evt.stream-empty", { run, stage }),
      onSuspects: (stage, count) => this.#client.publish("evt.suspects", { run, stage, count }),
      onStreamsRestarted: (boot, restarts) => {
        display.onRestart("streams", "the streams process died and was restarted");
        this.#client.publish("evt.streams-restarted", { run, boot, restarts });
      },
      onBreaker: (stage, state, what) => {
        display.onLog(stage, "warn", BREAKER_WORDS[state](what), undefined);
        this.#client.publish("evt.breaker", { run, stage, state, what });
      },
      onTrouble: (what, forMs) => logTrouble(display, what, forMs),
      onRunFailed: (stage, error) => this.#client.publish("evt.run-failed", { run, stage, error }),
      onEngineFailed: (error) => this.#client.publish("evt.engine-failed", { run, error }),
    };
  }

  #reports(): ReturnType<AgentRun["report"]> {
    return [...this.#runs.values()].flatMap((run) => run.report());
  }

  #beat(): void {
    const { env, self } = this.#options;
    this.#client.publish("hb", {
      seq: this.#sequence++,
      boot: self.boot,
      epoch: this.#server.epoch,
      load: 0,
      freeCores: env.host.cores,
      memoryBytes: env.host.memoryBytes,
      instances: this.#reports(),
    });
  }

  async stop(): Promise<void> {
    this.#heartbeat?.cancel();
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    this.#runs.clear();
    this.#server.close();
  }
}

async function startedOf({ settings, streams }: AgentRun): Promise<ReplyOf<"agent.start-run">> {
  return { boot: streams.boot, doneSources: await doneSources(settings.shape, streams) };
}
