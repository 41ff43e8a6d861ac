import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { nodeEnv } from "../../../src/env/node.ts";
import { natsBroker } from "../../../src/streams/brokers/nats.ts";
import { SteadyBroker } from "../../../src/streams/brokers/steady-broker.ts";
import { type NatsCluster, startNatsCluster } from "../../support/nats-cluster.ts";
import { isMissing } from "../../support/server-program.ts";

const QUEUE = "millrace.orders.r1.parse";
const FRAMES = 6_000;
const KILL_AT = [1_000, 3_000];

let cluster: NatsCluster | undefined;
let steady: SteadyBroker | undefined;
afterEach(async () => {
  await steady?.close();
  await cluster?.stop();
});

test.skipIf(isMissing("nats-server-2.10"))(
  "with three copies, kill -9 of the server that leads a queue, under load and twice, loses nothing confirmed",
  { timeout: 180_000 },
  async () => {
    cluster = await startNatsCluster();
    const { servers } = cluster;
    const [first, ...others] = servers.map(({ port }) => `127.0.0.1:${port}`);
    const broker = natsBroker(nodeEnv, `nats://${first}?servers=${others.join(",")}`, { replicas: 3 });
    const got = new Set<number>();
    const confirmed = new Set<number>();
    const troubles: (string | undefined)[] = [];
    steady = new SteadyBroker(nodeEnv, broker, {
      lost: () => undefined,
      trouble: (text) => troubles.push(text),
    });
    await steady.start(true, false);
    const queue = steady.queue(QUEUE);
    queue.consume((arrival) => {
      got.add(arrival.number as number);
      arrival.ack();
    });
    queue.limit(100);
    let killing = Promise.resolve();
    for (let next = 1; next <= FRAMES; next++) {
      const number = next;
      queue.publish(number, Buffer.alloc(2_000, `${number}`)).then(
        () => confirmed.add(number),
        () => undefined,
      );
      if (number % 50 === 0) await until(() => confirmed.size > number - 500);
      if (KILL_AT.includes(number)) {
        // Two of three that are down at once are not what three copies are for.
        await killing;
        killing = killLeader(cluster);
      }
    }
    await until(() => confirmed.size === FRAMES);
    await killing;
    await until(() => got.size === FRAMES);
    expect(troubles).not.toEqual([]);
    expect(troubles.at(-1)).toBeUndefined();
  },
);

/** Kills the server that leads the queue, starts it again when another does, and waits until it has caught up. */
async function killLeader({ servers }: NatsCluster): Promise<void> {
  const client = await connect({
    servers: servers.map(({ url }) => url),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
  const manager = await jetstreamManager(client, { checkAPI: false });
  const info = async () =>
    (await manager.streams.info(QUEUE.replaceAll(".", "=")).catch(() => undefined))?.cluster;
  await until(async () => (await info())?.leader !== undefined);
  const name = (await info())?.leader;
  const index = Number(name?.at(-1)) - 1;
  const killed = servers[index] as NatsCluster["servers"][number];
  await killed.kill();
  await until(async () => {
    const other = (await info())?.leader;
    return other !== undefined && other !== name;
  });
  servers[index] = await killed.restart();
  await until(async () => (await info())?.replicas?.every(({ current }) => current) === true);
  await client.close();
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
