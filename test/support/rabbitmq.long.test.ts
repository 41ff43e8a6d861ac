import { existsSync, readFileSync } from "node:fs";
import { connect } from "amqplib";
import { afterEach, expect, test } from "vitest";
import { type RabbitmqServer, startRabbitmq } from "./rabbitmq.ts";
import { isMissing } from "./server-program.ts";

const served = test.skipIf(isMissing("rabbitmq-server", "openssl"));
const servers: RabbitmqServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

served(
  "a killed RabbitMQ comes back on its port with the durable messages that it had confirmed",
  async () => {
    const first = await startRabbitmq({ users: { mill: "ra/ce @1" }, vhosts: ["work"] });
    servers.push(first);
    const before = await connect(first.url);
    before.on("error", () => undefined);
    const channel = await before.createConfirmChannel();
    channel.on("error", () => undefined);
    await channel.assertQueue("kept", { durable: true });
    channel.sendToQueue("kept", Buffer.from("yes"), { persistent: true });
    await channel.waitForConfirms();
    await first.kill();
    expect(() => process.kill(first.pid, 0)).toThrow("ESRCH");

    const again = await first.restart();
    servers[0] = again;
    expect(again.url).toBe(first.url);
    expect(again.pid).not.toBe(first.pid);
    const after = await connect(again.url);
    const reader = await after.createChannel();
    // What it refuses is thrown where it was asked for.
    reader.on("error", () => undefined);
    expect(await reader.get("kept", { noAck: true })).toMatchObject({ content: Buffer.from("yes") });

    const blocked = new Promise((resolve) => after.once("blocked", resolve));
    const unblocked = new Promise((resolve) => after.once("unblocked", resolve));
    await again.raiseAlarm("memory");
    reader.sendToQueue("kept", Buffer.from("held back"));
    expect(await blocked).toContain("memory");
    await again.clearAlarm("memory");
    await unblocked;

    const fresh = await connect(await again.addVhost());
    const empty = await fresh.createChannel();
    empty.on("error", () => undefined);
    await expect(empty.checkQueue("kept")).rejects.toThrow("NOT_FOUND");
    await fresh.close();
    await after.close();
    await again.stop();
    expect(existsSync(first.folder)).toBe(false);
  },
);

served("two RabbitMQs run side by side, one with TLS that only its own authority vouches for", async () => {
  const started = [startRabbitmq(), startRabbitmq({ tls: true })] as const;
  for (const server of started) server.then((ready) => servers.push(ready)).catch(() => undefined);
  const [plain, secret] = await Promise.all(started);
  const { ca = "", otherCa = "" } = secret.certificates ?? {};

  const client = await connect(secret.url, { ca: readFileSync(ca) });
  await (await client.createChannel()).assertQueue("here");
  await client.close();
  await expect(connect(secret.url, { ca: readFileSync(otherCa) })).rejects.toThrow(
    /unable to verify|self.signed/,
  );
  await expect(connect(secret.url.replace("amqps:", "amqp:"), { timeout: 5_000 })).rejects.toThrow();

  const elsewhere = await connect(plain.url);
  const channel = await elsewhere.createChannel();
  channel.on("error", () => undefined);
  await expect(channel.checkQueue("here")).rejects.toThrow("NOT_FOUND");
  await elsewhere.close();
  await plain.kill();
  expect(await secret.control("list_queues", "name")).toContain("here");
});
