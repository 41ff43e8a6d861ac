import type { Peer } from "./peer.ts";

/**
 * Where peers wait until the streams are open. Instances find a streams process that is back sooner than their agent has
 * told it what to open: what a source stored then would be refused, and one without checkpoints would start over.
 */
export class Anteroom {
  #isOpen = false;
  readonly #waiting = new Map<Peer, () => void>();

  /** Lets the peer in, now or when the streams are open. */
  enter(peer: Peer, letIn: () => void): void {
    if (this.#isOpen) letIn();
    else this.#waiting.set(peer, letIn);
  }

  leave(peer: Peer): void {
    this.#waiting.delete(peer);
  }

  open(): void {
    this.#isOpen = true;
    for (const [peer, letIn] of this.#waiting) {
      try {
        letIn();
      } catch (error) {
        peer.dismiss(error);
      }
    }
    this.#waiting.clear();
  }
}
