/** Redis Streams by ioredis alone. */
import { Redis } from "ioredis";
import { playEngineRole } from "./play-engine-role.ts";
import type { RawClient } from "./raw-client.ts";

type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

const GROUP = "bench";
/** Entries of one read: while they are worked on, the next are read. */
const MOST_READ = 256;

async function rawRedis(url: string): Promise<RawClient> {
  // Two connections: one waits in the server for messages. The older protocol, whose answers are lists.
  const client = new Redis(url, { protocol: 2 });
  const reading = new Redis(url, { protocol: 2 });
  await Promise.all([client.ping(), reading.ping()]);
  let isOver = false;
  let isCorked = false;
  /** What is sent in one turn of the loop leaves in one write: less processor time than the library's own pipelining. */
  const cork = (): void => {
    if (isCorked) return;
    isCorked = true;
    client.stream.cork();
    setImmediate(() => {
      isCorked = false;
      client.stream.uncork();
    });
  };
  return {
    async declare(queue) {
      await client.del(queue);
      await client.xgroup("CREATE", queue, GROUP, "0", "MKSTREAM");
    },
    publish(queue, message, onConfirmed) {
      cork();
      void client.xadd(queue, "*", "f", message).then(onConfirmed);
    },
    async consume(queue, most, onMessage) {
      let held = 0;
      let acked: Buffer[] = [];
      let onRoom: (() => void) | undefined;
      const flush = () => {
        cork();
        void client.xack(queue, GROUP, ...acked);
        void client.xdel(queue, ...acked);
        held -= acked.length;
        acked = [];
        onRoom?.();
      };
      const read = async (): Promise<readonly Entry[]> => {
        while (held >= most) await new Promise<void>((go) => (onRoom = go));
        const count = Math.min(MOST_READ, most - held);
        const args = ["GROUP", GROUP, GROUP, "COUNT", count, "BLOCK", 0, "STREAMS", queue, ">"];
        const streams = (await reading.callBuffer("XREADGROUP", args)) as [Buffer, Entry[]][];
        const entries = streams[0]?.[1] ?? [];
        held += entries.length;
        return entries;
      };
      const work = async () => {
        for (let next = read(); ; ) {
          const entries = await next;
          next = read();
          for (const [id, [, message]] of entries)
            onMessage(message as Buffer, () => {
              if (acked.push(id) === 1) setImmediate(flush);
            });
        }
      };
      void work().catch((error: Error) => {
        // n.b. at the end it waits in the server.
        if (!isOver) throw error;
      });
    },
    async close() {
      isOver = true;
      reading.disconnect();
      await client.quit();
    },
  };
}

await playEngineRole(rawRedis);
