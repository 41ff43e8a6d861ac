import type { Env, Socket } from "../env/env.ts";
import { CorruptionError, errorInfo, StreamError } from "../errors.ts";
import { encodeMessage, type Message } from "../wire/message.ts";
import { Anteroom } from "./anteroom.ts";
import { Claims } from "./claims.ts";
import { start, unstart } from "./consumer.ts";
import { NOTHING, type StreamEngine, type Transaction } from "./contract.ts";
import { answerRequest } from "./control.ts";
import type { DiskRoom } from "./disk-room.ts";
import { EngineNotices } from "./engine-notices.ts";
import { Entrance } from "./entrance.ts";
import { LetterDesk } from "./letter-desk.ts";
import { Pacer } from "./pacing/pacer.ts";
import { checkHello, Peer } from "./peer.ts";
import {
  type CreditHead,
  type FreedHead,
  type HelloHead,
  MESSAGE,
  type OpenAsk,
  type ProbedHead,
  type RequestHead,
  type StartedHead,
  type StreamEvent,
  type StreamReport,
  type TakeHead,
  type TransactHead,
  type Verdict,
} from "./protocol.ts";
import { PushInputs } from "./push-inputs.ts";
import { readLanes, readPassesOn, readStarted, readTransaction } from "./read-transaction.ts";
import { isSender, Senders, senderOf } from "./senders.ts";
import { Shortcut } from "./shortcut.ts";
import { Stages } from "./stages.ts";
import { streamReports } from "./stream-reports.ts";
import { TakenItems } from "./taken-items.ts";

export interface StreamServerOptions {
  readonly boot: string;
  readonly secret: string;
  readonly damage?: readonly string[];
  readonly disk?: DiskRoom;
}

/**
 * The broker that instances see, whatever engine is behind it. Owns the connections; a `Dispatcher` a stream
 * owns who works on what; `Claims` judges what a dead instance leaves behind; the engine owns what is durable.
 */
export class StreamServer {
  readonly engine: StreamEngine;
  readonly letters: LetterDesk;
  readonly options: StreamServerOptions;
  readonly pacer: Pacer;
  readonly inputs: PushInputs;
  readonly notices: EngineNotices;
  readonly #env: Env;
  readonly #stages: Stages;
  readonly #claims: Claims;
  readonly #peers = new Set<Peer>();
  readonly #anteroom = new Anteroom();
  readonly #senders: Senders;
  readonly #shortcut: Shortcut;
  readonly #entrance: Entrance;
  #failed = false;

  constructor(env: Env, engine: StreamEngine, options: StreamServerOptions) {
    this.#env = env;
    this.engine = engine;
    this.letters = new LetterDesk(env, engine, (stream) => this.#stages.isLane(stream));
    this.options = options;
    this.#senders = new Senders(engine, options.boot);
    this.inputs = new PushInputs(env, engine, this.#senders, (stream) => this.#checkEmpty(stream));
    this.#stages = new Stages(engine, (stage, count) => this.#event({ kind: "suspects", stage, count }));
    this.#shortcut = new Shortcut(this.#stages);
    this.pacer = new Pacer(
      env,
      engine,
      (stage) => this.#stages.stats(stage),
      (event) => this.#event(event),
      options.disk,
    );
    this.notices = new EngineNotices(env.clock, engine, (event) => {
      this.#event(event);
      if (event.kind === "quarantined") this.#checkEmpty(event.stage);
    });
    this.#entrance = new Entrance(options.disk, this.#stages, (event) => this.#event(event));
    this.#claims = new Claims(env, engine, (stage) => this.#stages.get(stage));
  }

  /** Opens the streams of stages. Throws RunError MR_RUN_CONFLICT; see `openStage`. */
  async open(stages: readonly string[], how: Omit<OpenAsk, "streams"> = {}): Promise<void> {
    for (const stream of how.inputs ?? []) await this.inputs.open(stream);
    await this.pacer.open(how.pacing ?? {});
    await this.#stages.open(stages, how);
    if (this.#entrance.handOver !== undefined) this.#entrance.handOver.ahead = how.ahead ?? {};
    this.#anteroom.open();
  }

  /** Takes a new peer. */
  accept(socket: Socket): void {
    const peer = new Peer(
      this.#env,
      socket,
      (from, message) => this.#onMessage(from, message),
      (gone) => this.#onClose(gone),
    );
    this.#peers.add(peer);
  }

  #onClose(peer: Peer): void {
    this.#peers.delete(peer);
    this.#anteroom.leave(peer);
    this.#entrance.handOver?.gone(peer);
    this.pacer.gone(peer);
    const { hello, consumer } = peer;
    if (hello === undefined) return;
    if (isSender(hello)) this.#senders.closed(peer, hello);
    if (hello.role === "push") this.inputs.forgetLater(senderOf(hello));
    if (consumer !== undefined) {
      this.#stages.get(hello.stage)?.leave(consumer);
      this.#claims.closed(hello.stage, consumer);
    } else this.#claims.closedWithoutClaims(hello.instance);
  }

  #onMessage(peer: Peer, message: Message): void {
    const { hello } = peer;
    if (message.type === MESSAGE.hello) {
      this.#onHello(peer, message.head as HelloHead);
      return;
    }
    if (hello === undefined) throw strange("it did not say hello first");
    switch (message.type) {
      case MESSAGE.credit:
        if (peer.consumer !== undefined)
          this.#stages.get(hello.stage)?.credit(peer.consumer, message.head as CreditHead);
        return;
      case MESSAGE.freed:
        this.#stages.get(hello.stage)?.freed(hello.instance, readLanes((message.head as FreedHead).lanes));
        return;
      case MESSAGE.started:
        for (const range of readStarted(message.head as StartedHead))
          if (peer.consumer !== undefined) start(peer.consumer, range);
        return;
      case MESSAGE.unstarted:
        for (const range of readStarted(message.head as StartedHead))
          if (peer.consumer !== undefined) unstart(peer.consumer, range);
        return;
      case MESSAGE.take:
        this.pacer.take(peer, message.head as TakeHead);
        return;
      case MESSAGE.probed:
        this.pacer.breakers.probed(peer, (message.head as ProbedHead).isGood === true);
        return;
      case MESSAGE.transact:
        this.#entrance.pass(peer, message, () => this.#onTransact(peer, message));
        return;
      case MESSAGE.request:
        void answerRequest(this, peer, message.head as RequestHead);
        return;
      default:
        throw strange(`no message has the type ${message.type}`);
    }
  }

  #onHello(peer: Peer, hello: HelloHead): void {
    checkHello(peer, hello, this.options.secret);
    if (hello.role === "control") {
      peer.hello = hello;
      peer.welcome({ boot: this.options.boot });
      this.#entrance.greet(peer);
      this.notices.greet(peer);
      return;
    }
    this.#anteroom.enter(peer, () => this.#letIn(peer, hello));
  }

  #letIn(peer: Peer, hello: HelloHead): void {
    if (hello.role === "source") {
      void this.#senders.welcome(peer, hello).then(() => this.pacer.joined(peer));
      return;
    }
    const dispatcher = this.#stages.get(hello.stage);
    if (dispatcher === undefined)
      throw new StreamError("MR_STREAM_UNKNOWN", `stream ${hello.stage}: it was not opened`);
    if (hello.role === "push") {
      // n.b. first: it is to know what is full before it sends anything.
      this.pacer.feeds(peer);
      void this.#senders.welcome(peer, hello);
      return;
    }
    this.#claims.checkUnjudged(hello);
    peer.hello = hello;
    // The same instance is back: it has let go of what it held, also while the end of its old connection is unseen.
    for (const other of this.#peers) {
      if (other !== peer && other.hello?.instance === hello.instance && other.hello.stage === hello.stage)
        other.drop();
    }
    dispatcher.owners?.reserve(hello.instance, readLanes(hello.busy ?? []));
    this.#claims.returned(hello.instance);
    const passesOn = readPassesOn(hello, (stage) => this.#stages.get(stage) !== undefined);
    dispatcher.join(peer.consume(hello, passesOn));
    if (hello.lost !== undefined && hello.lost > 0) {
      const counts = [[hello.stage, "repeated:streams-restarted", hello.lost]] as const;
      void this.engine.transact({ ...NOTHING, counts }).catch(() => undefined);
    }
    peer.welcome({ boot: this.options.boot });
    this.pacer.joined(peer);
  }

  async #onTransact(peer: Peer, message: Message): Promise<void> {
    // n.b. gone meanwhile: its successor was told that this is not stored.
    if (!this.#peers.has(peer)) return;
    const head = message.head as TransactHead;
    const hello = peer.hello as HelloHead;
    const dispatcher = this.#stages.get(hello.stage);
    let taken: TakenItems;
    let transaction: Transaction;
    try {
      if (this.#failed) throw new StreamError("MR_STREAM_CLOSED", "streams: the engine has failed");
      if (hello.role === "push") this.inputs.check(hello.stage, head);
      if (isSender(hello)) this.#senders.check(peer, hello);
      const at = this.#env.clock.now();
      transaction = readTransaction(
        hello.stage,
        head,
        message.blobs,
        (stream) => this.#stages.isLane(stream),
        at,
      );
      taken = new TakenItems(head, transaction);
      const { consumer } = peer;
      if (!taken.isNone && (consumer === undefined || !taken.areHeldBy(consumer))) {
        throw new StreamError(
          "MR_CLAIM_LOST",
          `stage ${hello.stage}, instance ${hello.instance}: it settles items that it does not hold; they are elsewhere by now`,
        );
      }
      // n.b. only now: what is refused must not be remembered as let in.
      transaction = this.pacer.admit(this.#shortcut.shorten(hello, transaction));
      if (consumer !== undefined) taken.takeFrom(consumer);
    } catch (error) {
      peer.refuse(head.n, error);
      return;
    }
    try {
      const committed = this.engine.transact(transaction);
      if (isSender(hello)) this.#senders.sent(hello, committed);
      this.#shortcut.sent(peer, transaction, committed);
      await committed;
    } catch (error) {
      if (dispatcher !== undefined) taken.undo(dispatcher);
      peer.refuse(head.n, error);
      this.#fail(error);
      return;
    }
    if (dispatcher !== undefined) taken.confirm(dispatcher);
    this.pacer.stored(peer, head);
    peer.send(encodeMessage(MESSAGE.confirmed, { n: head.n }));
    if (!taken.isNone) {
      dispatcher?.dispatch();
      this.#checkEmpty(hello.stage);
    }
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#event({ kind: "engine-failed", error: errorInfo(error) });
  }

  #checkEmpty(stage: string): void {
    if (this.#stages.isEmpty(stage)) this.#event({ kind: "empty", stage });
    this.#entrance.handOver?.settled(stage);
  }

  /** Judges what an instance leaves behind, once its connection is closed as well. */
  async verdict(verdict: Verdict): Promise<number> {
    const isConnected = [...this.#peers].some((c) => c.hello?.instance === verdict.instance);
    const suspects = await this.#claims.judge(verdict, isConnected);
    this.#stages.get(verdict.stage)?.ended(verdict.instance);
    return suspects;
  }

  report(): StreamReport[] {
    return streamReports(this.#stages, this.inputs, this.pacer);
  }

  #event(event: StreamEvent): void {
    for (const peer of this.#peers) {
      if (peer.hello?.role === "control") peer.send(encodeMessage(MESSAGE.event, event));
    }
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.drop();
    this.pacer.close();
    this.#stages.close();
    await this.engine.close();
  }
}

const strange = (what: string): Error => new CorruptionError("MR_PROTOCOL", `stream connection: ${what}`);
