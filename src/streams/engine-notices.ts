import type { Clock } from "../env/env.ts";
import { encodeMessage } from "../wire/message.ts";
import type { StreamEngine } from "./contract.ts";
import { stageOf } from "./lanes.ts";
import type { Peer } from "./peer.ts";
import { MESSAGE, type StreamEvent, type TroubleReport } from "./protocol.ts";

/**
 * What the engine says unasked: that items were set aside, and what stands between it and its broker. The latter is told
 * when it begins, changes and ends, and to control connections that come while it lasts.
 */
export class EngineNotices {
  readonly #clock: Clock;
  #since = 0;
  #what: string | undefined;

  constructor(clock: Clock, engine: StreamEngine, tell: (event: StreamEvent) => void) {
    this.#clock = clock;
    engine.onQuarantine((stream, _frame, items, problem) => {
      tell({ kind: "quarantined", stage: stageOf(stream), items, problem });
    });
    engine.onNotice?.((message) => tell({ kind: "notice", stage: "streams", message }));
    engine.onTrouble?.((what) => {
      if (what === this.#what) return;
      const forMs = this.#what === undefined ? 0 : clock.mono() - this.#since;
      if (this.#what === undefined) this.#since = clock.mono();
      this.#what = what;
      tell({ kind: "trouble", ...(what !== undefined && { what }), forMs });
    });
  }

  /** Undefined while all is well. */
  get trouble(): TroubleReport | undefined {
    if (this.#what === undefined) return undefined;
    return { what: this.#what, forMs: Math.round(this.#clock.mono() - this.#since) };
  }

  /** A control connection was welcomed: it is told what it has missed. */
  greet(peer: Peer): void {
    const { trouble } = this;
    if (trouble !== undefined) peer.send(encodeMessage(MESSAGE.event, { kind: "trouble", ...trouble }));
  }
}
