import type { BreakerPolicy } from "../../definition/pacing.ts";
import type { Env } from "../../env/env.ts";
import { encodeMessage } from "../../wire/message.ts";
import type { Peer } from "../peer.ts";
import { type BreakerHead, MESSAGE, type StreamEvent, type TransactHead } from "../protocol.ts";
import { Breaker, type BreakerState } from "./breaker.ts";

interface Guarded {
  readonly breaker: Breaker;
  /** The stage's instances, the next to probe first. */
  readonly peers: Set<Peer>;
}

/** The breakers of all stages, and the instances that they speak to. */
export class Breakers {
  readonly #env: Env;
  readonly #tell: (event: StreamEvent) => void;
  readonly #stages = new Map<string, Guarded>();

  constructor(env: Env, tell: (event: StreamEvent) => void) {
    this.#env = env;
    this.#tell = tell;
  }

  set(stage: string, policy: BreakerPolicy): void {
    if (this.#stages.has(stage)) return;
    const peers = new Set<Peer>();
    const breaker = new Breaker(this.#env, policy, {
      onState: (state, what) => {
        for (const peer of peers) say(peer, state);
        this.#tell({ kind: "breaker", stage, state, what });
      },
      onProbe: () => {
        const [next] = peers;
        if (next === undefined) return;
        peers.delete(next);
        peers.add(next);
        say(next, "probe");
      },
      onGivenUp: (what) => this.#tell({ kind: "breaker", stage, state: "given-up", what }),
    });
    this.#stages.set(stage, { breaker, peers });
  }

  #of(peer: Peer): Guarded | undefined {
    return this.#stages.get(peer.hello?.stage ?? "");
  }

  joined(peer: Peer): void {
    const guarded = this.#of(peer);
    guarded?.peers.add(peer);
    if (guarded?.breaker.isOpen === true) say(peer, "open");
  }

  gone(peer: Peer): void {
    this.#of(peer)?.peers.delete(peer);
  }

  /** A transaction of an instance has been stored. */
  settled(peer: Peer, head: TransactHead): void {
    const guarded = this.#of(peer);
    if (guarded === undefined) return;
    let failed = 0;
    for (const [, counter, by] of head.counts) {
      if (counter === "failed") failed += by;
      else if (counter === "postponed") failed -= by;
    }
    let good = 0;
    for (const [, from, to, outcome] of head.settle)
      if (outcome === "completed" || outcome === "filtered") good += to - from;
    guarded.breaker.count(good + failed, failed);
  }

  probed(peer: Peer, isGood: boolean): void {
    this.#of(peer)?.breaker.probed(isGood);
  }

  isOpen(stage: string): boolean {
    return this.#stages.get(stage)?.breaker.isOpen === true;
  }

  close(): void {
    for (const { breaker } of this.#stages.values()) breaker.close();
  }
}

function say(peer: Peer, state: BreakerState): void {
  peer.send(encodeMessage(MESSAGE.breaker, { state } satisfies BreakerHead));
}
