import { StreamError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import type { StreamEngine } from "./contract.ts";
import type { Peer } from "./peer.ts";
import type { HelloHead } from "./protocol.ts";

/** The connected sources: each once, and each told where its last life has got to. */
export class Sources {
  readonly #engine: StreamEngine;
  readonly #boot: string;
  readonly #peers = new Map<string, Peer>();
  /** The last transaction of each, while it is on its way to the engine. */
  readonly #commits = new Map<string, Promise<unknown>>();

  constructor(engine: StreamEngine, boot: string) {
    this.#engine = engine;
    this.#boot = boot;
  }

  async welcome(peer: Peer, hello: HelloHead): Promise<void> {
    const rival = this.#peers.get(hello.stage);
    if (rival !== undefined && rival !== peer && rival.hello?.instance !== hello.instance) {
      peer.dismiss(
        new StreamError("MR_CLAIM_LOST", `source ${hello.stage}: another instance of it is connected`),
      );
      return;
    }
    peer.hello = hello;
    rival?.drop();
    this.#peers.set(hello.stage, peer);
    // n.b. what an earlier life of this source has sent may still be on its way to the disk: a token read now would
    // be too old, and what it does not cover would be stored twice, uncounted.
    await this.#commits.get(hello.stage);
    let sourceState: Buffer | undefined;
    try {
      sourceState = await this.#engine.records.get(recordKeys.sourceState(hello.stage));
    } catch (error) {
      peer.dismiss(error);
      return;
    }
    peer.welcome({ boot: this.#boot, ...(sourceState === undefined ? {} : { sourceState }) });
  }

  /** A transaction of a source was handed to the engine. */
  committing(source: string, committed: Promise<unknown>): void {
    this.#commits.set(
      source,
      committed.catch(() => undefined),
    );
  }

  /** A connection was closed. */
  gone(peer: Peer): void {
    const source = peer.hello?.stage ?? "";
    if (this.#peers.get(source) === peer) this.#peers.delete(source);
  }
}
