import type { Clock } from "../env/env.ts";
import { LEASE_SAFE_SHARE, type Lease, type LeaseOptions } from "./contract.ts";
import type { LocalBucket } from "./local-bucket.ts";

interface Tenure {
  readonly owner: LocalLease;
  readonly holder: string;
  readonly epoch: Promise<number>;
  expiresAt: number;
}

/**
 * Who holds which lease in this process. Only the epochs are stored, as revisions of a bucket: a later process
 * finds no holder (whoever held one is gone with its process) and gets greater epochs.
 */
export class LeaseTable {
  readonly #clock: Clock;
  readonly #bucket: () => Promise<LocalBucket>;
  readonly #tenures = new Map<string, Tenure>();

  constructor(clock: Clock, bucket: () => Promise<LocalBucket>) {
    this.#clock = clock;
    this.#bucket = bucket;
  }

  now(): number {
    return this.#clock.mono();
  }

  current(name: string): Tenure | undefined {
    const tenure = this.#tenures.get(name);
    return tenure !== undefined && tenure.expiresAt > this.now() ? tenure : undefined;
  }

  async take(
    name: string,
    owner: LocalLease,
    holder: string,
    expiresAt: number,
  ): Promise<number | undefined> {
    // Entered before the epoch is stored, so that nobody takes it meanwhile.
    const tenure: Tenure = { owner, holder, expiresAt, epoch: this.#nextEpoch(name, holder) };
    this.#tenures.set(name, tenure);
    try {
      const epoch = await tenure.epoch;
      // A slow disk may have outlasted the lease.
      return this.current(name) === tenure ? epoch : undefined;
    } catch (error) {
      this.drop(name, owner);
      throw error;
    }
  }

  drop(name: string, owner: LocalLease): void {
    if (this.#tenures.get(name)?.owner === owner) this.#tenures.delete(name);
  }

  async #nextEpoch(name: string, holder: string): Promise<number> {
    const bucket = await this.#bucket();
    return bucket.write({ key: name, text: JSON.stringify({ holder }) });
  }
}

/** One contender for a lease. */
export class LocalLease implements Lease {
  readonly #table: LeaseTable;
  readonly #name: string;
  readonly #options: LeaseOptions;
  #epoch: number | undefined;
  #safeUntil = 0;

  constructor(table: LeaseTable, name: string, options: LeaseOptions) {
    this.#table = table;
    this.#name = name;
    this.#options = options;
  }

  get epoch(): number | undefined {
    return this.#table.now() < this.#safeUntil ? this.#epoch : undefined;
  }

  async acquire(): Promise<number | undefined> {
    const current = this.#table.current(this.#name);
    if (current !== undefined && current.owner !== this) return undefined;
    const { ttlMs, holder } = this.#options;
    const startedAt = this.#table.now();
    if (current === undefined) {
      const epoch = await this.#table.take(this.#name, this, holder, startedAt + ttlMs);
      if (epoch !== undefined) this.#hold(epoch, startedAt);
      return epoch;
    }
    const epoch = await current.epoch;
    return (await this.renew()) ? epoch : undefined;
  }

  async renew(): Promise<boolean> {
    const tenure = this.#table.current(this.#name);
    if (tenure?.owner !== this) {
      this.#safeUntil = 0;
      return false;
    }
    const startedAt = this.#table.now();
    tenure.expiresAt = startedAt + this.#options.ttlMs;
    const epoch = await tenure.epoch;
    if (this.#table.current(this.#name) !== tenure) return false; // released meanwhile
    this.#hold(epoch, startedAt);
    return true;
  }

  async release(): Promise<void> {
    this.#safeUntil = 0;
    this.#table.drop(this.#name, this);
  }

  async holder(): Promise<string | undefined> {
    return this.#table.current(this.#name)?.holder;
  }

  #hold(epoch: number, since: number): void {
    this.#epoch = epoch;
    this.#safeUntil = since + this.#options.ttlMs * LEASE_SAFE_SHARE;
  }
}
