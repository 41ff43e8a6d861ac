/** NATS JetStream by its own client alone. */
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, createInbox } from "@nats-io/transport-node";
import { playEngineRole } from "./play-engine-role.ts";
import type { RawClient } from "./raw-client.ts";

const CONSUMER = "bench";

async function rawNats(url: string): Promise<RawClient> {
  const connection = await connect({ servers: url });
  const client = jetstream(connection);
  const manager = await jetstreamManager(connection);
  // The library's own `publish` makes a request of every message: twice the processor time of one inbox for all.
  const inbox = createInbox();
  const unconfirmed = new Map<string, () => void>();
  let last = 0;
  connection.subscribe(`${inbox}.*`, {
    callback: (_, answer) => {
      // What throws in a callback would be lost.
      if (answer.data.length === 0 || "error" in answer.json<object>()) fail(answer.string());
      unconfirmed.get(answer.subject)?.();
      unconfirmed.delete(answer.subject);
    },
  });
  return {
    async declare(queue) {
      await manager.streams.delete(queue).catch(() => undefined);
      await manager.streams.add({
        name: queue,
        subjects: [queue],
        retention: "workqueue",
        storage: "file",
        discard: "new",
      });
    },
    publish(queue, message, onConfirmed) {
      const reply = `${inbox}.${++last}`;
      unconfirmed.set(reply, onConfirmed);
      connection.publish(queue, message, { reply });
    },
    async consume(queue, most, onMessage) {
      await manager.consumers.add(queue, {
        durable_name: CONSUMER,
        ack_policy: "explicit",
        max_ack_pending: most,
      });
      const consumer = await client.consumers.get(queue, CONSUMER);
      await consumer.consume({
        max_messages: most,
        callback: (message) => {
          const { buffer, byteOffset, byteLength } = message.data;
          onMessage(Buffer.from(buffer, byteOffset, byteLength), () => message.ack());
        },
      });
    },
    async close() {
      await connection.close();
    },
  };
}

function fail(answer: string): void {
  console.error(`a message was not stored: ${answer}`);
  process.exit(1);
}

await playEngineRole(rawNats);
