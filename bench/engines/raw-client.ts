/**
 * A broker's own client library, used as well as it can be: as durable as millrace has it, confirmed, acknowledged, many
 * messages under way, acknowledgements together where the library can.
 */
export interface RawClient {
  /** Makes an empty durable queue. */
  declare(queue: string): Promise<void>;
  /** Calls back when the broker has confirmed it. */
  publish(queue: string, message: Buffer, onConfirmed: () => void): void;
  /** Hands out messages, at most so many unacknowledged at once. */
  consume(queue: string, most: number, onMessage: (message: Buffer, ack: () => void) => void): Promise<void>;
  close(): Promise<void>;
}
