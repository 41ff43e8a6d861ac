import type { Clock } from "../env/env.ts";
import type { Sender } from "../mmop/envelope.ts";
import type { BodyOf, ReplyOf } from "../mmop/messages.ts";

/** Missed heartbeats, in milliseconds, after which an agent is suspected, and after which it is lost. */
const SUSPECT_MS = 3_000;
const LOST_MS = 10_000;

interface Member {
  readonly boot: string;
  readonly cores: number;
  readonly memoryBytes: number;
  seenAt: number;
  instances: BodyOf<"hb">["instances"];
}

type AgentInfo = ReplyOf<"coord.agent-info">["agents"][number];

/** The agents that have said hello, and what their heartbeats tell. */
export class Members {
  readonly #clock: Clock;
  readonly #members = new Map<string, Member>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  join(from: Sender, { cores, memoryBytes }: BodyOf<"coord.agent-ready">): void {
    const seenAt = this.#clock.mono();
    this.#members.set(from.name, { boot: from.boot, cores, memoryBytes, seenAt, instances: [] });
  }

  /** A heartbeat counts only after a hello of the same life. */
  beat(from: Sender, { instances }: BodyOf<"hb">): void {
    const member = this.#members.get(from.name);
    if (member === undefined || member.boot !== from.boot) return;
    member.seenAt = this.#clock.mono();
    member.instances = instances;
  }

  has(agent: string): boolean {
    return this.#members.has(agent);
  }

  info(): AgentInfo[] {
    return [...this.#members].map(([agent, member]) => ({
      agent,
      boot: member.boot,
      state: this.#stateOf(member),
      cores: member.cores,
      memoryBytes: member.memoryBytes,
      stages: stagesOf(member),
    }));
  }

  #stateOf(member: Member): "live" | "suspect" | "lost" {
    const silentMs = this.#clock.mono() - member.seenAt;
    if (silentMs > LOST_MS) return "lost";
    return silentMs > SUSPECT_MS ? "suspect" : "live";
  }
}

function stagesOf(member: Member): AgentInfo["stages"] {
  const counts = new Map<string, { run: string; stage: string; instances: number }>();
  for (const { run, stage } of member.instances) {
    const key = `${run}/${stage}`;
    const known = counts.get(key) ?? { run, stage, instances: 0 };
    counts.set(key, { ...known, instances: known.instances + 1 });
  }
  return [...counts.values()];
}
