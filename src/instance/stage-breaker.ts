import type { BreakerHead } from "../streams/protocol.ts";
import type { Caller } from "./caller.ts";
import type { Intake } from "./intake.ts";
import type { ItemRef } from "./work.ts";

export interface StageBreakerParts {
  readonly caller: Caller;
  readonly intake: Intake;
  /** The probe has ended. */
  onProbed(isGood: boolean): void;
}

/**
 * An instance's end of its stage's circuit breaker. While it is open nothing is called but probes, one call each; an
 * item whose call fails then stays in hand, as it was: what it met is the outage that is known already.
 */
export class StageBreaker {
  readonly #parts: StageBreakerParts;
  #state: "closed" | "open" | "asked" | "probing" = "closed";
  /** Items that failed while it was open. */
  #failed = 0;
  #failedBefore = 0;

  constructor(parts: StageBreakerParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  told(state: BreakerHead["state"]): void {
    if (state === "closed") this.#state = "closed";
    else if (state === "probe" && this.#state !== "probing") this.#state = "asked";
    else if (this.#state === "closed") this.#state = "open";
  }

  /** Nobody says anything any more: the next connection will. */
  reset(): void {
    this.#state = "closed";
  }

  /** Whether a failed item stays in hand without having used up an attempt. */
  keep(ref: ItemRef): boolean {
    if (!this.isOpen) return false;
    this.#failed++;
    this.#parts.intake.again(ref);
    return true;
  }

  /** Whether calls may be made; makes the call of a probe by itself, and tells what became of it. */
  mayCall(): boolean {
    if (this.#state === "closed") return true;
    const { caller } = this.#parts;
    // Its outcome must not be that of another: what is still running is waited for.
    if (caller.active > 0) return false;
    if (this.#state === "asked") this.#probe();
    if (this.#state === "probing" && caller.active === 0) this.#tell();
    return false;
  }

  #probe(): void {
    const { caller, intake } = this.#parts;
    this.#failedBefore = this.#failed;
    const before = intake.calls;
    while (intake.calls === before && caller.active === 0) {
      if (intake.step(true, true)) continue;
      // A part batch will do.
      intake.closeBatches();
      if (!intake.hasReadyBatch || !intake.step(true, true)) return;
    }
    this.#state = "probing";
  }

  #tell(): void {
    this.#state = "open";
    this.#parts.onProbed(this.#failed - this.#failedBefore < this.#parts.intake.callItems);
  }
}
