import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { type NatsCluster, startNatsCluster } from "./nats-cluster.ts";
import { isMissing } from "./server-program.ts";

const clusters: NatsCluster[] = [];
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop();
});

test.skipIf(isMissing("nats-server-2.10"))(
  "three NATS servers replicate a stream, and go on with one of them killed and back",
  async () => {
    const cluster = await startNatsCluster();
    clusters.push(cluster);
    const client = await connect({
      servers: [...cluster.urls],
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    const manager = await untilDone(() => jetstreamManager(client));
    await untilDone(() => manager.streams.add({ name: "kept", subjects: ["kept"], num_replicas: 3 }));
    const publish = (id: string) => untilDone(() => jetstream(client).publish("kept", id, { msgID: id }));
    await publish("before");

    const { leader } = (await manager.streams.info("kept")).cluster ?? {};
    const index = Number(leader?.at(-1)) - 1;
    const killed = cluster.servers[index] as NatsCluster["servers"][number];
    await killed.kill();
    await publish("meanwhile");
    cluster.servers[index] = await killed.restart();
    await publish("after");
    const info = await untilDone(async () => {
      const seen = await manager.streams.info("kept");
      if (!seen.cluster?.replicas?.every((replica) => replica.current)) throw new Error("not current yet");
      return seen;
    });
    expect(info.state.messages).toBe(3);
    expect(info.cluster?.replicas).toHaveLength(2);
    await client.close();
  },
);

/** An election takes some seconds, in which everything is refused. */
async function untilDone<T>(attempt: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 60_000; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
