import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { StreamError } from "../../errors.ts";

/** Ticks without a confirmation after which one is not waited for any more: its message or its answer is lost. */
const PATIENCE_TICKS = 6;
interface Pending {
  readonly subject: string;
  readonly tick: number;
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

/** An answer that is no confirmation. */
export interface NatsRefusal {
  readonly subject: string;
  /** JetStream's own; undefined: nobody listens on the subject. Its stream is gone, or has no leader for some seconds. */
  readonly code: number | undefined;
  readonly text: string;
}

interface PublisherParts {
  readonly connection: NatsConnection;
  readonly inbox: string;
  /** Why a message was not stored. */
  problemOf(refusal: NatsRefusal): StreamError;
  /** A message was not stored, for a reason that passes but is not room: the connection is of no use. */
  onProblem(problem: unknown): void;
}

/**
 * Publishes with confirmation, many outstanding. All answers come to one inbox of ours, each under a number of its
 * own: measured, a third of the processor time of the client's publish, which makes a request of every message.
 */
export class NatsPublisher {
  readonly #parts: PublisherParts;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #tick = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    parts.connection.subscribe(`${parts.inbox}.*`, { callback: (_, answer) => this.#onAnswer(answer) });
  }

  publish(subject: string, body: Uint8Array, headers: MsgHdrs): Promise<void> {
    return new Promise((resolve, reject) => {
      const place = ++this.#last;
      this.#parts.connection.publish(subject, body, { reply: `${this.#parts.inbox}.${place}`, headers });
      this.#pending.set(place, { subject, tick: this.#tick, resolve, reject });
    });
  }

  /** Called every now and then. Ticks are counted, not milliseconds: a process that was stopped has missed none. */
  tick(): void {
    this.#tick++;
    const [oldest] = this.#pending.values();
    if (oldest !== undefined && this.#tick - oldest.tick > PATIENCE_TICKS)
      this.#parts.onProblem(`no confirmation for a message to ${oldest.subject}`);
  }

  /** Nothing will be confirmed any more. */
  fail(problem: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(problem);
  }

  #onAnswer(answer: Msg): void {
    const place = Number(answer.subject.slice(this.#parts.inbox.length + 1));
    const pending = this.#pending.get(place);
    if (pending === undefined) return;
    const problem = isConfirmation(answer.data)
      ? undefined
      : this.#parts.problemOf(refusalIn(answer, pending.subject));
    if (problem?.code === "MR_ENGINE_UNREACHABLE") {
      this.#parts.onProblem(problem);
      return;
    }
    this.#pending.delete(place);
    if (problem === undefined) pending.resolve();
    else pending.reject(problem);
  }
}

function refusalIn(answer: Msg, subject: string): NatsRefusal {
  if (answer.data.length === 0)
    return { subject, code: undefined, text: `nobody takes messages for ${subject}` };
  // n.b. what throws here would end the reading of the connection, in silence.
  let error: { readonly err_code?: number; readonly description?: string } | undefined;
  try {
    error = answer.json<{ error?: { err_code?: number; description?: string } }>().error;
  } catch {
    error = undefined;
  }
  const code = error?.err_code ?? 0;
  return {
    subject,
    code,
    text: `${error?.description ?? "an answer that is none of JetStream's"} (${code})`,
  };
}

/** Begins with `{"stream"`; where there is an error it comes first. Parsing every answer would be for nothing. */
function isConfirmation(data: Uint8Array): boolean {
  return data[2] === 0x73;
}
