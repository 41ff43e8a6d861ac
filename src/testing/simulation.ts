import { setImmediate } from "node:timers";
import { RunError } from "../errors.ts";
import type { FromInstance } from "../instance/messages.ts";
import type { InProcessHandle } from "../run/in-process-instance.ts";
import { InProcessRun } from "../run/in-process-run.ts";
import { CallRecord, type SeenCall } from "./call-record.ts";
import { type Fault, FaultPlan } from "./fault-plan.ts";
import { observedDefinition } from "./observed-definition.ts";
import type { Observer } from "./observer.ts";
import type { SimulationSettings } from "./read-options.ts";
import { SeededRandom } from "./seeded-random.ts";
import { simulatedEnv } from "./simulated-env.ts";
import type { SimulatedFault, SimulatedLog, SimulationResult } from "./simulation-result.ts";
import { TransactionRecord } from "./transaction-record.ts";
import { UserCalls } from "./user-calls.ts";
import { VirtualTime } from "./virtual-time.ts";

/** A source that runs on is stopped after so much virtual time, when nothing was said. */
const DEFAULT_UNTIL_MS = 24 * 60 * 60 * 1_000;
/** Steps without any call of the user's: beyond this nothing will ever come of it. */
const MAX_IDLE_STEPS = 2_000_000;

/** One run under virtual time: drives it step by step, and writes down what happens. */
export class Simulation implements Observer {
  readonly timers;
  readonly user: UserCalls;
  readonly calls: CallRecord;
  readonly plan: FaultPlan;
  readonly #settings: SimulationSettings;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #transactions: TransactionRecord;
  readonly #faults: SimulatedFault[] = [];
  readonly #logs: SimulatedLog[] = [];
  readonly #yielded = new Map<string, number>();
  readonly #running: Set<string>;

  constructor(settings: SimulationSettings) {
    const { seed, startAt, patienceMs, faults, definition } = settings;
    this.#settings = settings;
    this.#random = new SeededRandom(seed);
    // Faults have numbers of their own: with and without them, the rest of a run is the same for as long as it can be.
    this.plan = new FaultPlan(faults, definition.nodes, new SeededRandom(seed + 1));
    this.#time = new VirtualTime(startAt, this.#random);
    this.timers = this.#time.timers;
    this.user = new UserCalls(patienceMs);
    this.#time.onTimer = () => this.user.onTimer();
    this.#time.onWork = () => this.user.wake();
    this.calls = new CallRecord(() => this.#time.now);
    this.#transactions = new TransactionRecord(definition.job !== undefined, () => this.#time.now);
    this.#running = new Set(namesOf(settings, ["source"]));
  }

  onFault(kind: Fault["kind"], { stage, id }: InProcessHandle): void {
    this.#faults.push({ kind, stage, instance: id, atMs: this.#time.now });
  }

  onSourceEnd(source: string): void {
    this.#running.delete(source);
  }

  yielded(source: string, item: unknown): SeenCall {
    const count = (this.#yielded.get(source) ?? 0) + 1;
    this.#yielded.set(source, count);
    return { items: [item], fresh: [count] };
  }

  async run(): Promise<SimulationResult> {
    const { params, input, instances, definition } = this.#settings;
    // Loaded now, an instance of a job's parts need not wait for them: how long that takes is no part of the run.
    if (definition.job !== undefined)
      await Promise.all([import("../instance/split-source.ts"), import("../instance/combine-loop.ts")]);
    const starting = InProcessRun.start({
      env: simulatedEnv(this.#time, this.#random),
      definition,
      params,
      ...(input !== undefined && { input }),
      instances,
      onMessage: (stage, message) => this.#onMessage(stage, message),
      probe: {
        onEngine: (engine) => this.#transactions.watch(engine),
        definitionOf: (instance) => observedDefinition(definition, instance, this),
        sockets: this.#time.sockets,
      },
    });
    this.user.follow(starting);
    let run: InProcessRun | undefined;
    let isOver = false;
    const ending = (async () => {
      run = await starting;
      return await run.result();
    })().finally(() => {
      isOver = true;
      this.user.wake();
    });
    ending.catch(() => undefined);
    await this.#drive(
      () => isOver,
      () => run?.stop(),
    );
    const result = await ending;
    const { seed } = this.#settings;
    const stages = namesOf(this.#settings, ["stage", "sink"]);
    const { outputs, retries, dead } = this.#transactions;
    return {
      ...result,
      seed,
      received: this.calls.received(stages),
      outputs: Object.fromEntries(
        namesOf(this.#settings, ["source", "stage"]).map((name) => [name, outputs.get(name) ?? []]),
      ),
      calls: this.calls.calls,
      retries,
      dead,
      faults: this.#faults,
      logs: this.#logs,
    };
  }

  async #drive(isOver: () => boolean, stop: () => Promise<void> | undefined): Promise<void> {
    const { untilMs } = this.#settings;
    let limit = untilMs ?? DEFAULT_UNTIL_MS;
    let made = 0;
    let idle = 0;
    let isStalled = false;
    while (!isOver()) {
      if (this.user.made > this.#settings.maxCalls) throw this.#endless(`made ${this.user.made} calls`);
      idle = this.user.made === made ? idle + 1 : 0;
      made = this.user.made;
      if (idle > MAX_IDLE_STEPS) throw this.#endless(`took ${idle} steps without a call`);
      if (this.#time.step()) {
        await turn();
        continue;
      }
      if (this.user.areWaiting) {
        await this.user.progress();
        await turn();
        continue;
      }
      const { nextAt } = this.#time;
      // Something of ours may be on its way that is no call: a module that is being loaded.
      if (nextAt === undefined && (await this.user.pause())) {
        await turn();
        continue;
      }
      if (nextAt !== undefined && nextAt <= limit) this.#time.advance();
      else if (nextAt !== undefined && untilMs === undefined && this.#running.size === 0) limit = nextAt;
      else {
        // Its time is up, or all that is left waits for something that nobody here will do.
        if (nextAt === undefined && isStalled) throw this.#endless("came to a stand");
        if (nextAt === undefined) isStalled = true;
        else this.#time.passTo(limit);
        limit = Number.POSITIVE_INFINITY;
        void stop();
      }
      await turn();
    }
  }

  #endless(what: string): RunError {
    return new RunError(
      "MR_SIMULATION_ENDLESS",
      `simulation of pipeline ${this.#settings.definition.name}, seed ${this.#settings.seed}: it ${what} in ${this.#time.now} virtual ms and came to no end; give it sources that end, or until`,
    );
  }

  #onMessage(stage: string, message: FromInstance): void {
    const atMs = this.#time.now;
    if (message.kind === "log") {
      const { level, message: text, fields } = message;
      this.#logs.push({ stage, level, message: text, ...(fields === undefined ? {} : { fields }), atMs });
    } else if (message.kind === "trouble") {
      const { message: text, code } = message.error;
      this.#logs.push({
        stage,
        level: "error",
        message: text,
        ...(code === undefined ? {} : { fields: { code } }),
        atMs,
      });
    }
  }
}

/** Lets everything happen that follows from what has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function namesOf({ definition }: SimulationSettings, kinds: readonly string[]): string[] {
  return [...definition.nodes.values()].filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
}
