import type { Logger } from "./logger.ts";

/** What is known of the item in hand. */
export interface ItemInfo {
  /** Kept for life: through retries, redeliveries and replays. */
  readonly id: string;
  /** 1 for the first call. */
  readonly attempt: number;
  /** How often it was replayed from the dead letters; 0: never. */
  readonly replay: number;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Wall clock, milliseconds since 1970, when its frame was closed. */
  readonly enqueuedAt: number;
  /** Id and stage: the same over attempts, redeliveries and replays. For the services that a stage calls. */
  readonly idempotencyKey: string;
}

/** Why an instance is being drained. */
export type DrainReason = "completed" | "stopped" | "paused" | "scaled" | "cancelled" | "replaced";

/** What a user's function gets: beside its item in a stage or sink, alone in a source. */
export interface Context<Params = unknown, State = unknown> {
  /** Aborts when the call's time is up or its instance is ended. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** What `setup` returned. */
  readonly state: State;
  readonly params: Params;
  readonly pipeline: string;
  readonly stage: string;
  readonly run: string;
  /** The item in hand; in a batch its first. */
  readonly item: ItemInfo;
  /** All items in hand, in the order of the batch. */
  readonly items: readonly ItemInfo[];
  /** Fails one item of a batch, found by identity; the others stand. */
  fail(item: unknown, error: unknown): void;
  /** Fails the item at `index` of a batch. */
  failAt(index: number, error: unknown): void;
  /**
   * Sources: the last durable token of an earlier life; undefined on the first start. A token comes back
   * encoded and decoded, as items do.
   */
  readonly resume: unknown;
  /** Sources: everything yielded before this call is covered by `token`; it becomes durable together with those items. */
  checkpoint(token: unknown): void;
  /** Reports how far a source or a call is, for display. */
  progress(done: number, total?: number): void;
  /** Called once when this instance is asked to drain. */
  onDrain(listener: (reason: DrainReason) => void): void;
}

/** What `setup` gets. */
export type SetupContext<Params = unknown> = Pick<
  Context<Params, undefined>,
  "signal" | "log" | "params" | "pipeline" | "stage" | "run" | "onDrain"
>;
