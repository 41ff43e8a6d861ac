import type { JetStreamManager } from "@nats-io/jetstream";
import { apiCode } from "./nats-queue.ts";

/** The one consumer of a queue. */
export const CONSUMER = "millrace";
const NO_CONSUMER = 10014;
/**
 * How long a message that did not reach us, or whose acknowledgement was lost, stays away: rare, between servers of a
 * cluster only. What a lost connection had comes again at once, whatever this is, since its consumer goes with it.
 * Long enough that telling the server of all that is in hand costs little, every third of it.
 */
const ACK_WAIT_NS = 30_000_000_000;

/**
 * Makes a queue's consumer anew. A streams process is alone on its queues, so whatever an earlier one had in its hands
 * is forgotten by the server, and comes again at once and in its old place.
 */
export async function makeConsumer(jsm: JetStreamManager, stream: string): Promise<void> {
  await jsm.consumers.delete(stream, CONSUMER).catch((error) => {
    if (apiCode(error) !== NO_CONSUMER) throw error;
  });
  await jsm.consumers.add(stream, {
    durable_name: CONSUMER,
    ack_policy: "explicit",
    deliver_policy: "all",
    ack_wait: ACK_WAIT_NS,
    max_ack_pending: -1,
  });
}
