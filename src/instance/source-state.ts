import { crypto } from "../env/crypto.ts";
import { ORIGIN_BYTES } from "../wire/ids.ts";
import { encodeStandalone } from "../wire/item-codec.ts";
import { unpackValue } from "../wire/packing.ts";
import type { Place } from "./open-frames.ts";

/** What a source leaves behind in every transaction: enough to go on after a crash. */
export interface SourceState {
  /** The last token, encoded; undefined before the first. */
  token: Uint8Array | undefined;
  /**
   * Part of the ids of this source's items: the same when it is started again from a token. Empty until there is an
   * item to be named.
   */
  nonce: string;
  /** Items given to each target up to the token: the ids of the next ones continue from here. */
  given: readonly number[];
  /** The same for further lanes of the targets, by `target/lane`. */
  laned: Readonly<Record<string, number>>;
  /** Items stored that the token does not cover. */
  sinceToken: number;
  /** Number of the transaction that stored this. */
  n: number;
  isDone: boolean;
}

/** Sets the token; tells whether it is another than before. */
export function setToken(state: SourceState, token: unknown): boolean {
  // Encoded now: the token may be an object that the source goes on changing.
  const bytes = encodeStandalone(token);
  const isOther = state.token === undefined || !bytes.equals(state.token);
  state.token = bytes;
  return isOther;
}

/** The state to start from. Without a token the source starts over, and its items get other ids than before. */
export function readSourceState(stored: Uint8Array | undefined, targets: number): SourceState {
  const fresh: SourceState = {
    token: undefined,
    nonce: "",
    given: new Array<number>(targets).fill(0),
    laned: {},
    sinceToken: 0,
    n: 0,
    isDone: false,
  };
  if (stored === undefined) return fresh;
  const known = unpackValue(stored) as SourceState;
  if (known.token === undefined)
    return { ...fresh, n: known.n, isDone: known.isDone, sinceToken: known.sinceToken };
  // Edges may have been added to the pipeline since.
  const given = fresh.given.map((none, target) => known.given[target] ?? none);
  return { ...known, given: targets === 0 ? known.given : given, laned: known.laned ?? {} };
}

/** Items of one origin; beyond, the ids go on under another. */
const ITEMS_PER_ORIGIN = 2 ** 31;

/** Origins of a source's frames, one a target and lane: a function of run, source, nonce and these alone. */
export class SourceOrigins {
  readonly #run: string;
  readonly #source: string;
  readonly #known = new Map<string, Buffer>();

  constructor(run: string, source: string) {
    this.#run = run;
    this.#source = source;
  }

  at(nonce: string, { target, lane }: Place, first: number): { origin: Uint8Array; first: number } {
    const part = Math.floor(first / ITEMS_PER_ORIGIN);
    const key = `${nonce}/${lane === 0 ? target : `${target}~${lane}`}/${part}`;
    let origin = this.#known.get(key);
    if (origin === undefined) {
      origin = crypto()
        .createHash("sha256")
        .update(`${this.#run}\0${this.#source}\0${key}`)
        .digest()
        .subarray(0, ORIGIN_BYTES);
      if (this.#known.size > 2_048) this.#known.clear();
      this.#known.set(key, origin);
    }
    return { origin, first: first % ITEMS_PER_ORIGIN };
  }
}
