/** Work that an instance may hold ahead, in milliseconds of its own time. */
const AHEAD_MS = 100;
const MAX_CREDIT = 32_768;
/** Bytes that it may hold ahead: large items are few. */
const AHEAD_BYTES = 32 * 1024 * 1024;

/**
 * How many items an instance asks for: at least a few calls' worth, so that it never waits between two of
 * them; more when items are quick, but no more than it can work off in a tenth of a second, so that a slow
 * stage's backlog is shared out fairly and little is repeated when the instance dies.
 */
export class Credit {
  readonly #itemsPerCall: number;
  /** Calls for each slot that it asks for at least. */
  readonly #callsAhead: number;
  #least: number;
  #slots: number;
  #target: number;
  /** Milliseconds a call takes per item, averaged; 0: not known yet. */
  #costMs = 0;
  /** Bytes of an item, averaged; 0: not known yet. */
  #itemBytes = 0;
  /** Given and not used yet. */
  outstanding = 0;
  /** Delivered, and not known to be settled for good. */
  held = 0;
  /** Of these, the ones that wait for their part of the stage's rate. */
  parked = 0;
  /** Of these, the ones that wait for another of their key. The streams process bounds what is out of a lane. */
  waiting = 0;

  /** `isSparing`: few and large items must not wait behind one another while other instances have none. */
  constructor(slots: number, itemsPerCall: number, isSparing = false) {
    this.#itemsPerCall = itemsPerCall;
    this.#slots = slots;
    this.#callsAhead = isSparing ? 1 : 4;
    this.#least = this.#callsAhead * slots * itemsPerCall;
    this.#target = this.#least;
  }

  /** So many calls may be in flight from now on. */
  resize(slots: number): void {
    this.#slots = slots;
    this.#least = this.#callsAhead * slots * this.#itemsPerCall;
    this.#target = Math.max(this.#target, this.#least);
  }

  /** Milliseconds an item takes; 0 while it is not known. */
  get costMs(): number {
    return this.#costMs;
  }

  /** A call of `items` took so long. */
  took(ms: number, items: number): void {
    const cost = ms / items;
    this.#costMs = this.#costMs === 0 ? cost : this.#costMs * 0.9 + cost * 0.1;
  }

  /** Nothing was left to do: a larger store may be worth it. */
  ranDry(): void {
    this.#target = Math.min(this.#most, this.#target * 2);
  }

  get #most(): number {
    const worth = this.#costMs === 0 ? this.#least * 2 : (AHEAD_MS / this.#costMs) * this.#slots;
    const fits = this.#itemBytes === 0 ? MAX_CREDIT : AHEAD_BYTES / this.#itemBytes;
    return Math.max(this.#least, Math.min(MAX_CREDIT, Math.floor(worth), Math.floor(fits)));
  }

  /** Items to ask for now; 0 while it is not worth a message. */
  ask(): number {
    this.#target = Math.min(this.#target, this.#most);
    const idle = this.parked + this.waiting;
    const room = this.#target - this.outstanding - this.held + idle;
    if (room <= 0) return 0;
    if (room * 4 < this.#target && this.outstanding + this.held > idle) return 0;
    this.outstanding += room;
    return room;
  }

  delivered(items: number, bytes: number): void {
    const each = bytes / items;
    this.#itemBytes = this.#itemBytes === 0 ? each : this.#itemBytes * 0.9 + each * 0.1;
    this.outstanding -= items;
    this.held += items;
  }

  settled(items: number): void {
    this.held -= items;
  }

  reset(): void {
    this.outstanding = 0;
    this.held = 0;
  }
}
