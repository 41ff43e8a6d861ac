import type { Env } from "../env/env.ts";
import { StageError } from "../errors.ts";
import { FrameBuilder } from "../wire/frame-builder.ts";
import { ItemEncoder } from "../wire/item-codec.ts";
import type { Target } from "./edges.ts";
import { userKey } from "./user-key.ts";

/** A frame that waits for its transaction. */
export interface ReadyFrame {
  readonly stream: string;
  readonly bytes: Buffer;
  readonly count: number;
  /** Blobs that its items refer to. */
  readonly blobs?: readonly string[];
}

/** Names the items of a target's next frame: their origin and the index of the first. */
export type OriginOf = (
  target: number,
  count: number,
) => { readonly origin: Uint8Array; readonly first: number };

/** Encoded outputs of a call that has not ended: they are placed when it has, or dropped. */
export interface Collected {
  readonly targets: readonly number[];
  readonly bytes: Uint8Array;
  readonly blobs: readonly string[] | undefined;
  readonly keys: Keys;
}

/** What the `dedupe` of each target knows an output by, where it does not go by the id. */
type Keys = readonly (string | undefined)[] | undefined;

/**
 * Routes outputs to the frames of the streams they go to.
 *
 * O1 An output is encoded when it is given, so that a later change of the object changes nothing.
 * O2 Nothing of a failed call reaches a frame: routes are decided and bytes made before anything is added.
 */
export class Outputs {
  readonly #env: Env;
  readonly #targets: readonly Target[];
  readonly #builders: readonly FrameBuilder[];
  readonly #encoder = new ItemEncoder();
  readonly #originOf: OriginOf;
  /** Scratch of {@link #route}: one list serves all items. */
  readonly #routes: number[] = [];
  readonly #hasKeys: boolean;
  #ready: ReadyFrame[] = [];
  #readyBytes = 0;
  /** Calls that hold collected bytes: the encoder's table must not be dropped under them. */
  #collectors = 0;

  constructor(env: Env, targets: readonly Target[], originOf: OriginOf) {
    this.#env = env;
    this.#targets = targets;
    this.#builders = targets.map(() => new FrameBuilder());
    this.#originOf = originOf;
    this.#hasKeys = targets.some((target) => target.dedupeBy !== undefined);
  }

  /** What a `dedupe.by` throws is thrown. */
  #keys(routes: readonly number[], output: unknown): Keys {
    if (!this.#hasKeys) return undefined;
    return routes.map((i) => {
      const { stream, dedupeBy } = this.#targets[i] as Target;
      return dedupeBy && userKey(`stage ${stream}: its dedupe.by`, dedupeBy(output));
    });
  }

  /** The targets of an output, valid until the next call. What a `when` throws is thrown. */
  #route(output: unknown): readonly number[] {
    const targets = this.#targets;
    const routes = this.#routes;
    routes.length = 0;
    for (let i = 0; i < targets.length; i++) {
      const when = (targets[i] as Target).when;
      if (when !== undefined) {
        const holds = when(output);
        if (holds instanceof Promise) throw asyncWhen(targets[i] as Target, holds);
        if (!holds) continue;
      }
      routes.push(i);
    }
    return routes;
  }

  /** Routes, encodes and adds one output; tells whether any edge took it. */
  place(output: unknown): boolean {
    const routes = this.#route(output);
    if (routes.length === 0) return false;
    const keys = this.#keys(routes, output);
    this.#add(routes, this.#encoder.encode(output), this.#encoder.blobs, keys);
    return true;
  }

  /** Routes and encodes one output without placing it. */
  collect(output: unknown): Collected | undefined {
    const routes = this.#route(output);
    if (routes.length === 0) return undefined;
    const targets = [...routes];
    const keys = this.#keys(targets, output);
    const bytes = Uint8Array.from(this.#encoder.encode(output));
    return { targets, bytes, blobs: this.#encoder.blobs, keys };
  }

  beginCollecting(): void {
    this.#collectors++;
  }

  endCollecting(): void {
    this.#collectors--;
  }

  placeCollected(outputs: readonly Collected[]): void {
    for (const { targets, bytes, blobs, keys } of outputs) this.#add(targets, bytes, blobs, keys);
  }

  #add(
    targets: readonly number[],
    bytes: Uint8Array,
    blobs: readonly string[] | undefined,
    keys: Keys,
  ): void {
    for (let n = 0; n < targets.length; n++) {
      const i = targets[n] as number;
      const builder = this.#builders[i] as FrameBuilder;
      if (builder.isFullFor(bytes.byteLength)) this.#close(i);
      const dedupeKey = keys?.[n];
      if (blobs === undefined && dedupeKey === undefined) builder.add(bytes);
      else builder.add(bytes, { ...(blobs && { blobs }), ...(dedupeKey !== undefined && { dedupeKey }) });
    }
    if (this.#encoder.mustSettle && this.#collectors === 0) {
      this.closeAll();
      this.#encoder.settle();
    }
  }

  #close(target: number): void {
    const builder = this.#builders[target] as FrameBuilder;
    const { count } = builder;
    if (count === 0) return;
    const { origin, first } = this.#originOf(target, count);
    const blobs = builder.blobs;
    const bytes = builder.close(origin, first, this.#env.clock.now(), this.#encoder.table);
    this.#ready.push({
      stream: (this.#targets[target] as Target).stream,
      bytes,
      count,
      ...(blobs && { blobs }),
    });
    this.#readyBytes += bytes.length;
  }

  /** Items in the frame of a target that is not closed yet. */
  openItems(target: number): number {
    return this.#builders[target]?.count ?? 0;
  }

  closeAll(): void {
    for (let i = 0; i < this.#builders.length; i++) this.#close(i);
  }

  /** Bytes that wait, in closed frames and in the making. */
  get pendingBytes(): number {
    let bytes = this.#readyBytes;
    for (const builder of this.#builders) bytes += builder.bytes;
    return bytes;
  }

  /** True when a frame is full: time to send. */
  get hasFullFrame(): boolean {
    return this.#ready.length > 0;
  }

  /** Closes everything and hands it over. */
  take(): ReadyFrame[] {
    this.closeAll();
    const ready = this.#ready;
    this.#ready = [];
    this.#readyBytes = 0;
    return ready;
  }

  /** Drops everything: the claims that it belongs to are void. */
  clear(): void {
    for (const builder of this.#builders) builder.clear();
    this.#ready = [];
    this.#readyBytes = 0;
  }
}

/** A promise is always truthy: such a `when` would hold for every item, whatever it finds out later. */
function asyncWhen(target: Target, promise: Promise<unknown>): StageError {
  promise.catch(() => undefined);
  return new StageError(
    "MR_BAD_RETURN",
    `edge to ${target.stream}: its \`when\` gave back a promise; decide at once`,
    {
      scope: "item",
    },
  );
}
