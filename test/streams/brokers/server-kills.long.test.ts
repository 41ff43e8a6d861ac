import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeEnv } from "../../../src/env/node.ts";
import { BrokerEngine } from "../../../src/streams/brokers/broker-engine.ts";
import { openBroker } from "../../../src/streams/brokers/open-broker.ts";
import { type Delivery, NOTHING } from "../../../src/streams/contract.ts";
import { SegmentLog } from "../../../src/streams/embedded/segment-log.ts";
import { startNats } from "../../support/nats.ts";
import { startRabbitmq } from "../../support/rabbitmq.ts";
import { startRedis } from "../../support/redis.ts";
import { isMissing } from "../../support/server-program.ts";
import { frameOf, textsOf } from "../../support/test-frames.ts";
import { unaccounted } from "../ledger-model.ts";

interface Server {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<Server>;
  stop(): Promise<void>;
}

const SERVERS: readonly { name: string; program: string; start: () => Promise<Server> }[] = [
  { name: "RabbitMQ", program: "rabbitmq-server", start: startRabbitmq },
  { name: "JetStream", program: "nats-server", start: startNats },
  { name: "Redis", program: "redis-server", start: startRedis },
];
const KILLS = 5;
const FRAME = 20;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const { name, program, start } of SERVERS) {
  test.skipIf(isMissing(program))(
    `${name} killed under load ${KILLS} times: every item is handed out, in order, and settled once`,
    { timeout: 170_000 },
    async () => {
      let server = await start();
      const folder = await mkdtemp(join(tmpdir(), "millrace-kills-"));
      const troubles: (string | undefined)[] = [];
      const quarantined: string[] = [];
      const { engine } = await BrokerEngine.open(nodeEnv, {
        log: (snapshot) => new SegmentLog(nodeEnv, { directory: folder, sync: true, snapshot }),
        survives: "power-loss",
        broker: await openBroker(nodeEnv, server.url),
        queueOf: (stream) => `millrace.kills.r1.${stream}`,
        waits: false,
      });
      engine.onTrouble((text) => troubles.push(text));
      engine.onQuarantine((_stream, _frame, _items, problem) => quarantined.push(problem));
      await engine.open("in");
      await engine.open("out");
      let placed = 0;
      let isOver = false;
      const got: number[] = [];

      // in → out, each item of a frame passed on in the transaction that settles it.
      const failed: unknown[] = [];
      const settlementsOf = ({ stream, frame, content }: Delivery) => [
        { stream, frame, from: 0, to: content.count, outcome: "completed" as const },
      ];
      const incoming = engine.consume(
        "in",
        (delivery) => {
          const texts = textsOf(delivery.content.bytes);
          const append = { stream: "out", frame: frameOf(texts), count: FRAME, delayMs: 0, isNew: true };
          engine
            .transact({ ...NOTHING, settlements: settlementsOf(delivery), appends: [append] })
            .then(() => incoming.want(FRAME))
            .catch((error: unknown) => failed.push(error));
        },
        { inOrder: true },
      );
      const outgoing = engine.consume(
        "out",
        (delivery) => {
          got.push(...textsOf(delivery.content.bytes).map(Number));
          engine
            .transact({ ...NOTHING, settlements: settlementsOf(delivery) })
            .then(() => outgoing.want(FRAME))
            .catch((error: unknown) => failed.push(error));
        },
        { inOrder: true },
      );
      incoming.want(FRAME * 100);
      outgoing.want(FRAME * 100);
      const feed = async (): Promise<void> => {
        while (!isOver) {
          const frames = Array.from({ length: 4 }, () => {
            const texts = Array.from({ length: FRAME }, () => `${placed++}`);
            return { stream: "in", frame: frameOf(texts), count: FRAME, delayMs: 0, isNew: true };
          });
          await engine.transact({ ...NOTHING, appends: frames });
        }
      };
      const feeders = [feed(), feed(), feed()];

      for (let kill = 0; kill < KILLS; kill++) {
        const before = got.length;
        await expect.poll(() => got.length, { timeout: 30_000 }).toBeGreaterThan(before + 500);
        await server.kill();
        await sleep(50 * kill);
        server = await server.restart();
      }
      const before = got.length;
      await expect.poll(() => got.length, { timeout: 30_000 }).toBeGreaterThan(before + 500);
      isOver = true;
      await Promise.all(feeders);
      await expect
        .poll(() => engine.stats("in").unsettled + engine.stats("out").unsettled, { timeout: 30_000 })
        .toBe(0);

      expect(failed).toEqual([]);
      expect(quarantined).toEqual([]);
      expect(got).toEqual(Array.from({ length: placed }, (_, i) => i));
      for (const stream of ["in", "out"]) {
        expect(unaccounted(engine, stream)).toBe(0);
        expect(engine.counts().get(stream)?.get("completed")).toBe(placed);
      }
      // Told of each time, once when it went and once when it was back.
      expect(troubles.filter((text) => text === undefined)).toHaveLength(KILLS);
      await engine.retire();
      await engine.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  );
}
