import { afterEach, describe, expect, test } from "vitest";
import type { Certificates } from "../support/certificates.ts";
import { cliProject, countsOf, unsettled } from "../support/cli-project.ts";
import { startNats } from "../support/nats.ts";
import { startRabbitmq } from "../support/rabbitmq.ts";
import { startRedis } from "../support/redis.ts";
import type { RunningServer } from "../support/server-process.ts";
import { isMissing } from "../support/server-program.ts";

const LIMIT = { timeout: 120_000 };
const PASSWORD = "ra/ce @1";

const PIPELINE = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("numbers");
  p.source("count", function* () { for (let n = 1; n <= 500; n++) yield n; })
    .to(p.stage("double", (n: number) => 2 * n))
    .to(p.sink("keep", (batch: number[]) => note(batch), { batch: { size: 100, withinMs: 50 } }));
  export default p;
`;

interface SecretServer extends RunningServer {
  readonly certificates: Certificates | undefined;
}

let server: SecretServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const brokers: readonly [string, string, () => Promise<SecretServer>][] = [
  ["RabbitMQ", "rabbitmq-server", () => startRabbitmq({ tls: true, users: { mill: PASSWORD } })],
  ["NATS", "nats-server", () => startNats({ tls: true, users: { mill: PASSWORD } })],
  ["Redis", "redis-server", () => startRedis({ tls: true, password: PASSWORD })],
];

describe.each(brokers)("%s with TLS and a password", (_name, program, start) => {
  test.skipIf(isMissing(program, "openssl"))(
    "runs a pipeline for who trusts its authority, and says what is wrong to who trusts another",
    LIMIT,
    async () => {
      server = await start();
      const { ca = "", otherCa = "" } = server.certificates ?? {};
      const project = cliProject({ "numbers.ts": PIPELINE });
      const run = (trusted: string) =>
        project.run("numbers.ts", ["--streams", (server as SecretServer).url], {
          env: { MILLRACE_TLS_CA: trusted },
        });

      const refused = await run(otherCa);
      expect(refused.code).toBe(5);
      expect(refused.stderr).toMatch(/MR_ENGINE_REFUSED .*certificate/);
      expect(refused.stderr).not.toContain(encodeURIComponent(PASSWORD));
      expect(project.notes()).toEqual([]);

      const done = await run(ca);
      expect(done.stderr).not.toContain("MR_");
      expect(done.code).toBe(0);
      expect(unsettled(done.json)).toEqual({});
      expect(countsOf(done.json).keep).toMatchObject({ accepted: 500, completed: 500 });
      const kept = project.notes<number[]>().flat();
      expect(kept.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => 2 * (i + 1)));
    },
  );
});
