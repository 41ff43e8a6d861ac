import { existsSync, readFileSync } from "node:fs";
import { Client } from "pg";
import { afterEach, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { isMissing } from "./server-program.ts";

const served = test.skipIf(isMissing("postgres", "openssl"));
const servers: PostgresServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

served("a killed PostgreSQL comes back on its port with what was committed", async () => {
  const first = await startPostgres({ password: "ra/ce @1" });
  servers.push(first);
  const before = new Client(first.url);
  before.on("error", () => undefined);
  await before.connect();
  await before.query("CREATE TABLE kept (word text PRIMARY KEY)");
  await before.query("INSERT INTO kept VALUES ('yes')");
  await before.query("BEGIN");
  await before.query("INSERT INTO kept VALUES ('no')");
  await first.kill();
  expect(() => process.kill(first.pid, 0)).toThrow("ESRCH");

  const again = await first.restart();
  servers[0] = again;
  expect(again.url).toBe(first.url);
  const after = new Client(again.url);
  await after.connect();
  expect((await after.query("SELECT word FROM kept")).rows).toEqual([{ word: "yes" }]);
  await after.end();
  await expect(new Client(again.url.replace(/:[^:@]+@/, ":wrong@")).connect()).rejects.toThrow("password");
  await again.stop();
  expect(existsSync(first.folder)).toBe(false);
});

served("with TLS it takes only who speaks it, and only its own authority vouches for it", async () => {
  const server = await startPostgres({ tls: true });
  servers.push(server);
  const { ca = "", otherCa = "" } = server.certificates ?? {};
  const client = new Client({ connectionString: server.url, ssl: { ca: readFileSync(ca) } });
  await client.connect();
  const rows = await client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
  expect(rows.rows).toEqual([{ ssl: true }]);
  await client.end();
  const stranger = new Client({ connectionString: server.url, ssl: { ca: readFileSync(otherCa) } });
  await expect(stranger.connect()).rejects.toThrow(/unable to verify|self.signed/);
  await expect(new Client(server.url).connect()).rejects.toThrow("no encryption");
});
