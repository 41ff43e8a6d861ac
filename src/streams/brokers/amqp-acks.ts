import type { Channel, Message } from "amqplib";

/**
 * Acknowledges messages in as few words as it can: one for all up to the oldest message that is still in our hands, one
 * each for those above it.
 *
 * @param acked delivery tags, in any order.
 * @param oldest the lowest tag that is not acknowledged; infinite when there is none.
 */
export function sendAcks(channel: Channel, acked: readonly number[], oldest: number): void {
  let below = 0;
  try {
    for (const tag of acked) {
      if (tag > oldest) channel.ack(tagged(tag));
      else if (tag > below) below = tag;
    }
    if (below > 0) channel.ack(tagged(below), true);
  } catch {
    // The channel is closing; RabbitMQ hands them out again.
  }
}

/** Of a message, an acknowledgement needs the tag alone. */
function tagged(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}
