import { StreamError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import type { StreamEngine } from "./contract.ts";
import type { Peer } from "./peer.ts";
import type { HelloHead } from "./protocol.ts";

/** Whether what this peer stores is numbered over connections: a source, or one who pushes into it from outside. */
export function isSender(hello: HelloHead): boolean {
  return hello.role === "source" || hello.role === "push";
}

/** What a sender's transactions are numbered under. */
export function senderOf(hello: HelloHead): string {
  return hello.role === "push" ? recordKeys.pusher(hello.stage, hello.instance) : hello.stage;
}

/**
 * The peers that only store items: sources, and those who push into one.
 *
 * N1 Of each there is one connection at a time.
 * N2 A sender that comes back is told the number of its last durable transaction, once none of it is on its way.
 * N3 After a transaction of a sender was refused no later one of the same connection is done.
 */
export class Senders {
  readonly #engine: StreamEngine;
  readonly #boot: string;
  readonly #peers = new Map<string, Peer>();
  /** The last transaction of each, while it is on its way to the engine. */
  readonly #commits = new Map<string, Promise<unknown>>();

  constructor(engine: StreamEngine, boot: string) {
    this.#engine = engine;
    this.#boot = boot;
  }

  isConnected(sender: string): boolean {
    return this.#peers.has(sender);
  }

  async welcome(peer: Peer, hello: HelloHead): Promise<void> {
    const sender = senderOf(hello);
    const rival = this.#peers.get(sender);
    if (rival !== undefined && rival !== peer && rival.hello?.instance !== hello.instance) {
      peer.dismiss(
        new StreamError("MR_CLAIM_LOST", `source ${hello.stage}: another instance of it is connected`),
      );
      return;
    }
    peer.hello = hello;
    rival?.drop();
    this.#peers.set(sender, peer);
    // n.b. what an earlier life of it has sent may still be on its way to the disk: a token read now would be too
    // old, and what it does not cover would be stored twice, uncounted.
    await this.#commits.get(sender);
    let sourceState: Buffer | undefined;
    try {
      sourceState = await this.#engine.records.get(recordKeys.sourceState(sender));
    } catch (error) {
      peer.dismiss(error);
      return;
    }
    peer.welcome({ boot: this.#boot, ...(sourceState === undefined ? {} : { sourceState }) });
  }

  /** Throws StreamError MR_CLAIM_LOST when an earlier transaction of this connection was refused. */
  check(peer: Peer, hello: HelloHead): void {
    if (!peer.hasBeenRefused) return;
    // A source's token says what came before it is stored: it must not be, once some of that was refused.
    throw new StreamError(
      "MR_CLAIM_LOST",
      `stage ${hello.stage}, instance ${hello.instance}: an earlier transaction was refused`,
    );
  }

  /** A transaction is on its way to the engine. */
  sent(hello: HelloHead, committed: Promise<void>): void {
    const sender = senderOf(hello);
    const settled = committed
      .catch(() => undefined)
      .then(() => {
        if (this.#commits.get(sender) === settled) this.#commits.delete(sender);
      });
    this.#commits.set(sender, settled);
  }

  closed(peer: Peer, hello: HelloHead): void {
    const sender = senderOf(hello);
    if (this.#peers.get(sender) === peer) this.#peers.delete(sender);
  }
}
