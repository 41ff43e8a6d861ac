import type { MsgHdrs } from "@nats-io/transport-node";
import type { Env, Timer } from "../env/env.ts";
import { type DialedNats, serverOf, watchNats } from "../streams/brokers/nats-connect.ts";
import { natsProblem } from "../streams/brokers/nats-problem.ts";
import type { LinkEvents } from "./foreign-driver.ts";

const FAREWELL_MS = 2_000;
/** Room for the headers of a message within the server's `max_payload`. */
const HEADER_BYTES = 4_096;

export interface NatsLinkParts {
  readonly env: Env;
  readonly dialed: DialedNats;
  readonly events: Pick<LinkEvents, "lost">;
}

/** What all connections to NATS's foreign queues have: an end that is told once. */
export class NatsLink {
  readonly server: string;
  readonly maxBodyBytes: number;
  readonly #parts: NatsLinkParts;
  readonly #onEnd: (problem: Error) => void;
  #timer: Timer | undefined;
  isOver = false;

  constructor(parts: NatsLinkParts, onEnd: (problem: Error) => void = () => undefined) {
    this.#parts = parts;
    this.#onEnd = onEnd;
    const { connection } = parts.dialed;
    this.server = serverOf(connection);
    this.maxBodyBytes = (connection.info?.max_payload ?? 1024 * 1024) - HEADER_BYTES;
    void watchNats(connection, (problem) => this.lose(problem));
  }

  every(ms: number, fire: () => void): void {
    this.#timer = this.#parts.env.timers.every(ms, () => {
      if (!this.isOver) fire();
    });
  }

  lose(problem: unknown): void {
    if (this.isOver) return;
    const error = natsProblem(this.server, problem);
    this.#end(error);
    void this.#parts.dialed.connection.close().catch(() => undefined);
    this.#parts.events.lost(error);
  }

  /** What was acknowledged or sent is on its way: the answer to a ping says that it has been read. */
  async close(): Promise<void> {
    if (this.isOver) return;
    this.#end(natsProblem(this.server, "the connection is closed"));
    const { env, dialed } = this.#parts;
    await Promise.race([dialed.connection.flush(), env.timers.sleep(FAREWELL_MS)]).catch(() => undefined);
    await dialed.connection.close().catch(() => undefined);
  }

  #end(problem: Error): void {
    this.isOver = true;
    this.#timer?.cancel();
    this.#onEnd(problem);
  }
}

/** A header that was sent more than once is one, its values joined. */
export function headersIn(headers: MsgHdrs | undefined): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const name of headers?.keys() ?? []) plain[name] = headers?.values(name).join(", ") ?? "";
  return plain;
}

/** n.b. a header of NATS is one line, and has a name without spaces and colons. */
export function headersOut({ client }: DialedNats, headers: Readonly<Record<string, string>>): MsgHdrs {
  const out = client.headers();
  for (const [name, value] of Object.entries(headers))
    if (/^[!-9;-~]+$/.test(name)) out.append(name, value.replace(/[\r\n]+/g, " "));
  return out;
}
