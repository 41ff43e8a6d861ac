import type { Env } from "../env/env.ts";
import { errorInfo, StageError } from "../errors.ts";
import type { ItemMeta } from "../wire/frame.ts";
import { ItemEncoder, notEncodableWithin } from "../wire/item-codec.ts";
import type { Target } from "./edges.ts";
import { OpenFrames, type OriginOf, type Place, type ReadyFrame } from "./open-frames.ts";
import { needsPlacement, placementOf, type Said } from "./placement.ts";

/** Encoded outputs of a call that has not ended: they are placed when it has, or dropped. */
export interface Collected {
  /** The frames that they go to, by number. */
  readonly frames: readonly number[];
  readonly bytes: Uint8Array;
  readonly blobs: readonly string[] | undefined;
  readonly metas: Metas;
}

/** What goes with a task of a job. */
export interface TaskMeta {
  readonly position: number;
  readonly cost?: number;
  /** The task begins a new frame. */
  readonly closes?: boolean;
}

/** What goes with an output into each of its frames; undefined where nothing ever does. */
type Metas = readonly (ItemMeta | undefined)[] | undefined;

interface Placed {
  readonly frames: readonly number[];
  readonly metas: Metas;
}

/**
 * Routes outputs to the frames of the streams they go to.
 *
 * O1 An output is encoded when it is given, so that a later change of the object changes nothing.
 * O2 Nothing of a failed call reaches a frame: routes are decided and bytes made before anything is added.
 */
export class Outputs {
  readonly #targets: readonly Target[];
  readonly #frames: OpenFrames;
  readonly #encoder = new ItemEncoder();
  /** Scratch of {@link #route}: one list serves all items. */
  readonly #routes: number[] = [];
  /** Every item goes to lane 0 of its targets, and nothing goes with it. */
  readonly #isPlain: boolean;
  /** All targets, where every output goes to all of them. */
  readonly #all: readonly number[] | undefined;
  /** Calls that hold collected bytes: the encoder's table must not be dropped under them. */
  #collectors = 0;

  constructor(env: Env, targets: readonly Target[], originOf: OriginOf) {
    this.#targets = targets;
    this.#isPlain = !targets.some(needsPlacement);
    if (targets.every(({ when }) => when === undefined)) this.#all = targets.map((_, target) => target);
    const streams = targets.map(({ stream }) => stream);
    this.#frames = new OpenFrames(env, streams, this.#encoder, originOf);
  }

  /** The targets of an output, valid until the next call. What a `when` throws is thrown. */
  #route(output: unknown): readonly number[] {
    if (this.#all !== undefined) return this.#all;
    const targets = this.#targets;
    const routes = this.#routes;
    routes.length = 0;
    for (let i = 0; i < targets.length; i++) {
      if (holds(targets[i] as Target, output)) routes.push(i);
    }
    return routes;
  }

  /**
   * The frames, by number, of the targets that an output goes to, and what goes with it. What an `orderBy`, `priority` or
   * `dedupe.by` throws is thrown.
   */
  #place(routes: readonly number[], output: unknown, said: Said | undefined): Placed {
    // n.b. the frame of a target's lane 0 has the number of the target.
    if (this.#isPlain && said === undefined) return { frames: routes, metas: undefined };
    const frames: number[] = [];
    const metas: (ItemMeta | undefined)[] = [];
    for (const target of routes) {
      const { lane, meta } = placementOf(this.#targets[target] as Target, output, said);
      frames.push(this.#frames.numberOf(target, lane));
      metas.push(meta);
    }
    return { frames, metas };
  }

  /** Routes, encodes and adds one output, by what was `said` of it; tells whether any edge took it. */
  place(output: unknown, said?: Said): boolean {
    const routes = this.#route(output);
    if (routes.length === 0) return false;
    const { frames, metas } = this.#place(routes, output, said);
    this.#add(frames, this.#encoder.encode(output), this.#encoder.blobs, metas);
    return true;
  }

  /**
   * As {@link place}, where nobody could take the output back: an edge whose functions throw gets it as an item that has
   * failed. Tells whether there was one. Throws EncodingError.
   */
  placeAnyhow(output: unknown): boolean {
    const frames: number[] = [];
    const metas: (ItemMeta | undefined)[] = [];
    let isRefused = false;
    for (const [number, target] of this.#targets.entries()) {
      try {
        if (!holds(target, output)) continue;
        const { lane, meta } = placementOf(target, output);
        frames.push(this.#frames.numberOf(number, lane));
        metas.push(meta);
      } catch (error) {
        isRefused = true;
        frames.push(this.#frames.numberOf(number, 0));
        metas.push({ refused: errorInfo(error) });
      }
    }
    if (frames.length > 0) this.#add(frames, this.#encoder.encode(output), this.#encoder.blobs, metas);
    return isRefused;
  }

  /** Places the result of a task, for combine; an error names the result, not what it travels in. */
  placeResult(position: number, result: unknown, said?: Said): boolean {
    try {
      return this.place([position, result], said);
    } catch (error) {
      throw notEncodableWithin(result, error);
    }
  }

  /** The bytes of an output, valid until the next call and until user code runs, for {@link placeAt}. */
  encode(output: unknown): Uint8Array {
    return this.#encoder.encode(output);
  }

  /** The names that stand in for keys in the bytes so far. */
  get table(): Buffer {
    return this.#encoder.table;
  }

  /** Adds an output and its bytes of {@link encode} to a target, whatever the edge to it says. */
  placeAt(target: number, output: unknown, bytes: Uint8Array, about: TaskMeta): void {
    let number = target;
    let meta: ItemMeta | undefined = about.cost === undefined ? undefined : { cost: about.cost };
    const to = this.#targets[target] as Target;
    let own = bytes;
    if (needsPlacement(to)) {
      // n.b. the user's functions may pack something themselves, over these.
      own = Uint8Array.from(bytes);
      const placement = placementOf(to, output);
      number = this.#frames.numberOf(target, placement.lane);
      // n.b. the items of a lane are numbered by themselves: the position is not in the id.
      meta = { ...placement.meta, ...meta, position: about.position };
    }
    if (about.closes) this.#frames.close(number);
    const { blobs } = this.#encoder;
    this.#frames.add(number, own, blobs === undefined ? meta : { ...meta, blobs });
    this.settle();
  }

  /** To be called after an {@link encode} whose bytes are not placed. */
  settle(): void {
    if (!this.#encoder.mustSettle || this.#collectors > 0) return;
    this.#frames.closeAll();
    this.#encoder.settle();
  }

  /** Routes and encodes one output without placing it. */
  collect(output: unknown): Collected | undefined {
    const routes = this.#route(output);
    if (routes.length === 0) return undefined;
    const { frames, metas } = this.#place(routes, output, undefined);
    const bytes = Uint8Array.from(this.#encoder.encode(output));
    // n.b. a copy: the list of routes serves the next output.
    return { frames: [...frames], bytes, blobs: this.#encoder.blobs, metas };
  }

  beginCollecting(): void {
    this.#collectors++;
  }

  endCollecting(): void {
    this.#collectors--;
  }

  placeCollected(outputs: readonly Collected[]): void {
    for (const { frames, bytes, blobs, metas } of outputs) this.#add(frames, bytes, blobs, metas);
  }

  #add(
    frames: readonly number[],
    bytes: Uint8Array,
    blobs: readonly string[] | undefined,
    metas: Metas,
  ): void {
    for (let n = 0; n < frames.length; n++) {
      const meta = metas?.[n];
      this.#frames.add(frames[n] as number, bytes, blobs === undefined ? meta : { ...meta, blobs });
    }
    this.settle();
  }

  /** Items in frames that are not closed yet, by their lanes. */
  openItems(): Iterable<readonly [Place, number]> {
    return this.#frames.openItems();
  }

  /** Bytes that wait, in closed frames and in the making. */
  get pendingBytes(): number {
    return this.#frames.pendingBytes;
  }

  /** True when a frame is full: time to send. */
  get hasFullFrame(): boolean {
    return this.#frames.hasFull;
  }

  /** Closes everything and hands it over. */
  take(): ReadyFrame[] {
    return this.#frames.take();
  }

  /** Drops everything: the claims that it belongs to are void. */
  clear(): void {
    this.#frames.clear();
  }
}

/** Whether an output goes to a target. What its `when` throws is thrown. */
function holds(target: Target, output: unknown): boolean {
  if (target.when === undefined) return true;
  const answer = target.when(output);
  if (answer instanceof Promise) throw asyncWhen(target, answer);
  return Boolean(answer);
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
