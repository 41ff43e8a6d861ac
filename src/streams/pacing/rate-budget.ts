import type { RatePolicy } from "../../definition/pacing.ts";

/** What may be made up for after a lull: this share of the limit at once. */
const BURST = 0.1;
/** Grants within this share of the period are remembered as one. */
const GRAIN = 0.02;

/** Grants that were close to each other. */
interface Grant {
  readonly first: number;
  last: number;
  items: number;
}

interface Bucket {
  tokens: number;
  at: number;
  /** Those of the last period, oldest first, and how many items they add up to. */
  readonly grants: Grant[];
  granted: number;
}

/**
 * How many items may be begun, spread evenly: a bucket of tokens that holds a tenth of the limit, and besides never
 * more than the limit in any period. Each key has its own. Times are those of a monotonic clock.
 */
export class RateBudget {
  readonly #policy: RatePolicy;
  readonly #buckets = new Map<string, Bucket>();
  /** Before this moment nobody knows what was granted in an earlier life: a bucket starts empty. */
  readonly #blindUntil: number;
  #share = 1;
  #sweepAt = 0;

  constructor(policy: RatePolicy, blindUntil: number) {
    this.#policy = policy;
    this.#blindUntil = blindUntil;
  }

  /** The part of the limit that may be given out here: 1 as long as there is no other place. */
  set share(share: number) {
    this.#share = share;
  }

  get #limit(): number {
    return this.#policy.limit * this.#share;
  }

  get #burst(): number {
    return Math.max(1, this.#limit * BURST);
  }

  #bucketOf(key: string, now: number): Bucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = { tokens: now < this.#blindUntil ? 0 : this.#burst, at: now, grants: [], granted: 0 };
      this.#buckets.set(key, bucket);
    }
    const { perMs } = this.#policy;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.at) * this.#limit) / perMs);
    bucket.at = now;
    for (let grant = bucket.grants[0]; grant !== undefined; grant = bucket.grants[0]) {
      if (grant.last + perMs > now) break;
      bucket.granted -= grant.items;
      bucket.grants.shift();
    }
    return bucket;
  }

  /** Takes up to `wanted` items of the budget; gives how many it got. */
  take(key: string, wanted: number, now: number): number {
    const bucket = this.#bucketOf(key, now);
    const room = Math.max(1, Math.floor(this.#limit)) - bucket.granted;
    // n.b. sums of fractions: a token that lacks a billionth is one.
    const items = Math.min(wanted, Math.floor(bucket.tokens + 1e-9), room);
    if (items <= 0) return 0;
    bucket.tokens -= items;
    bucket.granted += items;
    const last = bucket.grants.at(-1);
    if (last !== undefined && now - last.first < this.#policy.perMs * GRAIN) {
      last.last = now;
      last.items += items;
    } else bucket.grants.push({ first: now, last: now, items });
    return items;
  }

  /** Milliseconds until there is something to take again. */
  waitMs(key: string, now: number): number {
    const bucket = this.#bucketOf(key, now);
    const { perMs } = this.#policy;
    const forToken = Math.max(0, ((1 - bucket.tokens) * perMs) / this.#limit);
    const isFull = bucket.granted >= Math.max(1, Math.floor(this.#limit));
    const forRoom = isFull ? (bucket.grants[0] as Grant).last + perMs - now : 0;
    return Math.max(forToken, forRoom);
  }

  /** Forgets the keys that stand as if they had never been used. To be called now and then. */
  sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + this.#policy.perMs;
    for (const key of this.#buckets.keys()) {
      const bucket = this.#bucketOf(key, now);
      if (bucket.granted === 0 && bucket.tokens >= this.#burst) this.#buckets.delete(key);
    }
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }
}
