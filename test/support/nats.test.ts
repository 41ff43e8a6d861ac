import { existsSync } from "node:fs";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { NatsMissingError, type NatsServer, natsVersion, startNats } from "./nats.ts";
import { isMissing } from "./server-program.ts";

const served = test.skipIf(isMissing("nats-server", "openssl"));
const servers: NatsServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

served("a killed NATS comes back on its port with the messages of its streams", async () => {
  const first = await startNats();
  const other = await startNats();
  servers.push(first, other);
  const before = await connect({ servers: first.url, reconnect: false });
  expect(before.info?.version).toBe(natsVersion());
  const manager = await jetstreamManager(before);
  await manager.streams.add({ name: "kept", subjects: ["kept"] });
  await jetstream(before).publish("kept", "yes");
  await first.kill();
  await before.closed();
  expect(() => process.kill(first.pid, 0)).toThrow("ESRCH");

  const again = await first.restart();
  servers[0] = again;
  expect(again.url).toBe(first.url);
  const after = await connect({ servers: again.url });
  const stream = await (await jetstreamManager(after)).streams.info("kept");
  expect(stream.state.messages).toBe(1);
  await after.close();
  await again.stop();
  expect(existsSync(first.folder)).toBe(false);
});

served("TLS, a password and a small max_payload are what a client meets", async () => {
  const server = await startNats({ tls: true, users: { mill: "ra/ce @1" }, maxPayload: 4_096 });
  servers.push(server);
  const { ca, otherCa } = server.certificates ?? {};
  const access = { servers: `127.0.0.1:${server.port}`, user: "mill", reconnect: false };
  const client = await connect({ ...access, pass: "ra/ce @1", tls: { caFile: ca as string } });
  expect(client.info?.max_payload).toBe(4_096);
  await client.close();
  await expect(connect({ ...access, pass: "wrong", tls: { caFile: ca as string } })).rejects.toThrow(
    /authorization/i,
  );
  await expect(
    connect({ ...access, pass: "ra/ce @1", tls: { caFile: otherCa as string } }),
  ).rejects.toThrow();
});

served(
  "a port that is taken is an error with the server's own words, a missing program one that names the package",
  async () => {
    const first = await startNats();
    servers.push(first);
    await expect(startNats({ port: first.port })).rejects.toThrow("address already in use");
    const missing = startNats({ program: "/nowhere/nats-server" });
    await expect(missing).rejects.toThrow("apt-get install nats-server");
    await expect(missing).rejects.toBeInstanceOf(NatsMissingError);
  },
);
