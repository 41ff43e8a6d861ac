import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { planBrokerRounds } from "../support/kill-plan.ts";
import { type KilledBroker, KillRound, type MortalServer } from "../support/kill-round.ts";
import { startNats } from "../support/nats.ts";
import { startRabbitmq } from "../support/rabbitmq.ts";
import { startRedis } from "../support/redis.ts";
import { isMissing } from "../support/server-program.ts";

const ROUNDS = 5;
const OF_EACH_KIND = 1;
const MOST_AGAIN = 5;

/** `MILLRACE_TEST_SEED=7 npm run test:long -- kill-brokers` runs other rounds, or those of a failure again. */
const { MILLRACE_TEST_SEED = "1" } = process.env;
const seed = Number(MILLRACE_TEST_SEED);

/** Each with its own defaults: what a kill takes with it must be what it promises to keep. */
const servers: readonly { name: string; isMissing: boolean; start(): Promise<MortalServer> }[] = [
  { name: "RabbitMQ", isMissing: isMissing("rabbitmq-server"), start: () => startRabbitmq() },
  { name: "NATS JetStream", isMissing: isMissing("nats-server"), start: () => startNats() },
  { name: "Redis", isMissing: isMissing("redis-server"), start: () => startRedis() },
];

for (const { name, isMissing: isAway, start } of servers) {
  describe.skipIf(isAway)(name, () => {
    let broker: KilledBroker | undefined;
    afterAll(() => broker?.server.stop());

    test(`kill -9 of the server and of any process, ${ROUNDS} rounds of 200,000 items: nothing is lost, repeats have a cause`, {
      timeout: 600_000,
    }, async () => {
      broker = { server: await start() };
      const told: string[] = [];
      let again = 0;
      for (let [round, plan] of planBrokerRounds(seed, ROUNDS, OF_EACH_KIND).entries()) {
        for (;;) {
          const folder = mkdtempSync(join(tmpdir(), "mb-"));
          const { verdict, missed, kills, stderr, wallMs } = await new KillRound(plan, folder, broker).run();
          const done = kills.map(({ kind }) => kind).join(", ");
          expect(
            verdict.problems,
            `round ${round}, seed ${plan.seed}, ${plan.kinds.join(", ")}\n${stderr}`,
          ).toEqual([]);
          if (missed === undefined) {
            told.push(
              `${done}: ${verdict.redelivered} of ${verdict.allowed} repeats, ${(wallMs / 1_000).toFixed(1)} s`,
            );
            break;
          }
          expect(++again, `round ${round}: ${missed}`).toBeLessThanOrEqual(MOST_AGAIN);
          plan = { ...plan, seed: plan.seed + 100_000 };
        }
      }
      process.stdout.write(`\n${name}, lost 0\n${told.join("\n")}\n\n`);
      for (const line of told) expect(line).toContain("server");
    });
  });
}
