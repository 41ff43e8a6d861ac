/** RabbitMQ by amqplib alone. */
import { type ChannelModel, connect, type Message } from "amqplib";
import { playEngineRole } from "./play-engine-role.ts";
import type { RawClient } from "./raw-client.ts";

async function rawAmqp(url: string): Promise<RawClient> {
  // Two connections, as the client's authors advise: the server slows those down that publish.
  const open: ChannelModel[] = [await connect(url, { noDelay: true }), await connect(url, { noDelay: true })];
  const [publishing, consuming] = open as [ChannelModel, ChannelModel];
  const publisher = await publishing.createConfirmChannel();
  const channel = await consuming.createChannel();
  let acked: Message[] = [];
  return {
    async declare(queue) {
      await channel.deleteQueue(queue);
      await channel.assertQueue(queue, { durable: true });
    },
    publish(queue, message, onConfirmed) {
      publisher.sendToQueue(queue, message, { persistent: true }, onConfirmed);
    },
    async consume(queue, most, onMessage) {
      const held = new Set<number>();
      const flush = () => {
        const [oldest = Number.POSITIVE_INFINITY] = held;
        let last: Message | undefined;
        for (const message of acked) {
          if (message.fields.deliveryTag > oldest) channel.ack(message);
          else if (message.fields.deliveryTag > (last?.fields.deliveryTag ?? 0)) last = message;
        }
        if (last !== undefined) channel.ack(last, true);
        acked = [];
      };
      await channel.prefetch(most);
      await channel.consume(queue, (message) => {
        if (message === null) return;
        const tag = message.fields.deliveryTag;
        held.add(tag);
        onMessage(message.content, () => {
          held.delete(tag);
          if (acked.push(message) === 1) setImmediate(flush);
        });
      });
    },
    async close() {
      await Promise.all(open.map((connection) => connection.close()));
    },
  };
}

await playEngineRole(rawAmqp);
