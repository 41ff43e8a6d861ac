import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { StreamError } from "../../errors.ts";
import { engineError } from "./engine-error.ts";

/** The header that carries a message's number. */
export const NUMBER_HEADER = "Mr-Number";

/** Ticks without a confirmation after which one is not waited for any more: its message or its answer is lost. */
const PATIENCE_TICKS = 6;
/** Answers that mean want of room: a limit of the stream, the account's, the server's. */
const FULL = new Set([10077, 10047, 10023, 10028, 10002]);

interface Pending {
  readonly queue: string;
  readonly tick: number;
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

interface PublisherParts {
  readonly connection: NatsConnection;
  readonly server: string;
  readonly inbox: string;
  readonly headers: typeof import("@nats-io/transport-node").headers;
  /** A message was not stored, for another reason than room: the session is of no use. */
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

  publish(queue: string, number: number, frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const place = ++this.#last;
      const headers = this.#parts.headers();
      headers.set(NUMBER_HEADER, String(number));
      this.#parts.connection.publish(queue, frame, { reply: `${this.#parts.inbox}.${place}`, headers });
      this.#pending.set(place, { queue, tick: this.#tick, resolve, reject });
    });
  }

  /** Called every now and then. Ticks are counted, not milliseconds: a process that was stopped has missed none. */
  tick(): void {
    this.#tick++;
    const [oldest] = this.#pending.values();
    if (oldest !== undefined && this.#tick - oldest.tick > PATIENCE_TICKS)
      this.#parts.onProblem(`no confirmation for a message to ${oldest.queue}`);
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
    const problem = isConfirmation(answer.data) ? undefined : this.#problemOf(answer, pending.queue);
    if (problem === undefined || problem.code === "MR_ENGINE_FULL") {
      this.#pending.delete(place);
      if (problem === undefined) pending.resolve();
      else pending.reject(problem);
    } else this.#parts.onProblem(problem);
  }

  #problemOf(answer: Msg, queue: string): StreamError {
    const { server } = this.#parts;
    // Nobody listens on the subject: its stream is gone, or has no leader for some seconds.
    if (answer.data.length === 0)
      return engineError.unreachable(server, `nobody takes messages for ${queue}`);
    const { error } = answer.json<{ error?: { err_code?: number; description?: string } }>();
    const text = `${error?.description ?? "an answer that is none"} (${error?.err_code ?? "no code"})`;
    return FULL.has(error?.err_code ?? 0)
      ? engineError.full(server, queue, text)
      : engineError.unreachable(server, `a message to ${queue} was not stored: ${text}`);
  }
}

/** Begins with `{"stream"`; where there is an error it comes first. Parsing every answer would be for nothing. */
function isConfirmation(data: Uint8Array): boolean {
  return data[2] === 0x73;
}
