import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, describe, expect, test } from "vitest";
import { nodeEnv } from "../../../src/env/node.ts";
import type { Arrival, BrokerSession } from "../../../src/streams/brokers/broker.ts";
import { natsBroker } from "../../../src/streams/brokers/nats.ts";
import { freePort } from "../../support/free-port.ts";
import { type NatsOptions, type NatsServer, startNats } from "../../support/nats.ts";
import { findProgram, isMissing } from "../../support/server-program.ts";

const TIMEOUT_MS = 5_000;
const QUEUE = "millrace.orders.r1.parse~2";

async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const servers: NatsServer[] = [];
const sessions: BrokerSession[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const server of servers.splice(0)) await server.stop().catch(() => undefined);
});

async function startedServer(options: NatsOptions): Promise<NatsServer> {
  const started = await startNats(options);
  servers.push(started);
  return started;
}

interface Opened {
  readonly session: BrokerSession;
  readonly lost: Error[];
}

async function open(url: string, options: Record<string, unknown> = {}): Promise<Opened> {
  const lost: Error[] = [];
  const broker = natsBroker(nodeEnv, url, options);
  const events = { lost: (problem: Error) => void lost.push(problem), blocked: () => undefined };
  const session = await broker.connect(events, TIMEOUT_MS);
  sessions.push(session);
  return { session, lost };
}

const attempt = (url: string, options: Record<string, unknown> = {}): Promise<unknown> => open(url, options);

/** Takes what a queue hands out. */
function taker(session: BrokerSession, limit: number, queue = QUEUE) {
  const got: Arrival[] = [];
  const intake = session.consume(queue, (arrival) => got.push(arrival));
  intake.limit(limit);
  return { got, intake, numbers: () => got.map(({ number }) => number) };
}

const frame = (number: number, bytes = 100): Buffer => Buffer.alloc(bytes, String(number));
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, i) => from + i);

const publishAll = (session: BrokerSession, numbers: readonly number[]): Promise<unknown> =>
  Promise.all(numbers.map((number) => session.publish(QUEUE, number, frame(number))));

describe.skipIf(isMissing("nats-server"))("the server on the PATH", () => behaviours("nats-server"));
describe.skipIf(isMissing("nats-server-2.10"))("a newer server", () => behaviours("nats-server-2.10"));

function behaviours(program: string): void {
  const server = (options: NatsOptions = {}) =>
    startedServer({ ...options, program: findProgram(program) as string });
  describe("a session with JetStream", { timeout: 60_000 }, () => {
    test("confirms what is published, hands it out in order and never more than may be in hand", async () => {
      const { url } = await server();
      const { session, lost } = await open(url);
      expect(session.server).toMatch(/^NATS \d+\.\d+\.\d+\S* at 127\.0\.0\.1:\d+$/);
      expect(session.confirmSurvives).toBe("process-death");
      await session.declare(QUEUE);
      await session.declare(QUEUE);
      await publishAll(session, upTo(3_000));
      expect(await session.waiting(QUEUE)).toBe(3_000);

      const { got, intake, numbers } = taker(session, 0);
      expect(got).toHaveLength(0);
      intake.limit(100);
      await until(() => got.length === 100);
      expect(await session.waiting(QUEUE)).toBe(2_900);
      expect(got[0]?.bytes).toEqual(frame(1));
      intake.limit(10);
      for (const arrival of got.slice(0, 95)) arrival.ack();
      await until(() => got.length === 105);
      // Asked for are messages beyond the new limit too: none may come into our hands.
      await until(async () => (await session.waiting(QUEUE)) === 2_895);
      expect(got).toHaveLength(105);
      intake.limit(700);
      for (let i = 0; i < 3_000; i++) {
        await until(() => got.length > i);
        expect(got.length - i).toBeLessThanOrEqual(805);
        (got[i] as Arrival).ack();
      }
      expect(numbers()).toEqual(upTo(3_000));
      await until(async () => (await session.waiting(QUEUE)) === 0);
      await session.drop(QUEUE);
      await session.drop(QUEUE);
      expect(lost).toEqual([]);
    });

    test("hands out again at once and first what an earlier session had in its hands; what was acknowledged stays away", async () => {
      const { url } = await server();
      const first = await open(url);
      await first.session.declare(QUEUE);
      await publishAll(first.session, upTo(50));
      const early = taker(first.session, 20);
      await until(() => early.got.length === 20);
      for (const arrival of early.got.slice(0, 5)) arrival.ack();
      await first.session.close();
      early.got[6]?.ack();
      await expect(first.session.publish(QUEUE, 99, frame(99))).rejects.toMatchObject({
        code: "MR_ENGINE_UNREACHABLE",
      });
      expect(first.lost).toEqual([]);

      const { session } = await open(url);
      const late = taker(session, 100);
      await until(() => late.got.length === 45);
      expect(late.numbers()).toEqual(upTo(45, 6));
    });

    test("what was taken in and not acknowledged before an intake was closed is the next one's", async () => {
      const { url } = await server();
      const { session } = await open(url);
      await session.declare(QUEUE);
      await publishAll(session, upTo(30));
      const first = taker(session, 10);
      await until(() => first.got.length === 10);
      first.intake.close();
      first.got[0]?.ack();
      await until(async () => (await session.waiting(QUEUE)) === 20);
      await publishAll(session, upTo(5, 31));
      expect(first.got).toHaveLength(10);
      const second = taker(session, 100);
      await until(() => second.got.length === 34);
      expect(second.numbers()).toEqual(upTo(34, 2));
    });

    test("a message that is no frame of ours comes without a number", async () => {
      const { url } = await server();
      const { session } = await open(url);
      await session.declare(QUEUE);
      const stranger = await connect({ servers: url });
      stranger.publish(QUEUE, "hello");
      await stranger.flush();
      await stranger.close();
      const { got } = taker(session, 1);
      await until(() => got.length === 1);
      expect(got[0]).toMatchObject({ number: undefined, bytes: Buffer.from("hello") });
    });

    test("what is long in hand is not handed to us twice", { timeout: 90_000 }, async () => {
      const { url } = await server();
      const { session } = await open(url);
      await session.declare(QUEUE);
      await publishAll(session, upTo(3));
      const { got } = taker(session, 10);
      await until(() => got.length === 3);
      const client = await connect({ servers: url });
      const jsm = await jetstreamManager(client);
      const info = () => jsm.consumers.info("millrace=orders=r1=parse~2", "millrace");
      const { config } = await info();
      await new Promise((resolve) => setTimeout(resolve, (config.ack_wait ?? 0) / 1e6 + 3_000));
      expect(await info()).toMatchObject({ num_redelivered: 0, num_ack_pending: 3 });
      expect(got).toHaveLength(3);
      await client.close();
    });

    test("kill -9 of the server under load: the session is lost once, and nothing confirmed with it", async () => {
      const first = await server();
      const one = await open(first.url);
      await one.session.declare(QUEUE);
      const confirmed: number[] = [];
      const refused: unknown[] = [];
      for (const number of upTo(200_000)) {
        one.session.publish(QUEUE, number, frame(number, 2_000)).then(
          () => confirmed.push(number),
          (problem) => refused.push(problem),
        );
        if (number % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (number === 4_000) void first.kill();
        if (one.lost.length > 0) break;
      }
      await until(() => one.lost.length > 0);
      await until(() => refused.length > 0);
      expect(confirmed.length).toBeGreaterThan(100);
      expect(refused[0]).toMatchObject({ code: "MR_ENGINE_UNREACHABLE", retryable: true });
      await expect(one.session.waiting(QUEUE)).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
      await expect(attempt(first.url)).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });

      servers[0] = await first.restart();
      const two = await open(first.url);
      await two.session.declare(QUEUE);
      const { got, numbers } = taker(two.session, 1_000_000);
      await until(async () => (await two.session.waiting(QUEUE)) === 0 && got.length >= confirmed.length);
      const found = new Set(numbers());
      expect(confirmed.filter((number) => !found.has(number))).toEqual([]);
      expect(one.lost).toHaveLength(1);
    });

    test("a server that answers no more is noticed, and does not hold up the next session when it is back", async () => {
      const { url, pid } = await server();
      const one = await open(url);
      await one.session.declare(QUEUE);
      process.kill(pid, "SIGSTOP");
      try {
        // More than the sockets between us hold: the connection cannot even be closed in good order.
        const outstanding = upTo(200).map((number) =>
          one.session.publish(QUEUE, number, frame(number, 100_000)).catch((problem) => problem),
        );
        await expect(attempt(url)).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
        await until(() => one.lost.length > 0, 30_000);
        expect(await Promise.all(outstanding)).toContainEqual(
          expect.objectContaining({ code: "MR_ENGINE_UNREACHABLE" }),
        );
      } finally {
        process.kill(pid, "SIGCONT");
      }
      const { session } = await open(url);
      await session.declare(QUEUE);
      await session.publish(QUEUE, 777, frame(777));
      const { got, numbers } = taker(session, 1_000);
      await until(() => numbers().includes(777));
      for (const arrival of got) arrival.ack();
      await until(async () => (await session.waiting(QUEUE)) === 0);
    });

    test("a full queue refuses what comes, keeps what it has, and takes more when there is room", async () => {
      const { url } = await server();
      const { session, lost } = await open(url, { maxBytes: "1MB" });
      await session.declare(QUEUE);
      const results = await Promise.allSettled(
        upTo(20).map((number) => session.publish(QUEUE, number, frame(number, 100_000))),
      );
      const stored = results.filter(({ status }) => status === "fulfilled").length;
      expect(stored).toBe(10);
      expect(results[19]).toMatchObject({ reason: { code: "MR_ENGINE_FULL", retryable: true } });
      const { got, numbers } = taker(session, 3);
      await until(() => got.length === 3);
      for (const arrival of got) arrival.ack();
      await until(async () => {
        const next = session.publish(QUEUE, 21, frame(21, 100_000));
        return next.then(
          () => true,
          () => false,
        );
      });
      await until(() => got.length === 6);
      expect(numbers()).toEqual([1, 2, 3, 4, 5, 6]);
      expect(lost).toEqual([]);
    });

    test("a frame of the largest size that it declares comes through; a larger one is refused, and only that", async () => {
      const { url } = await server({ maxPayload: 65_536 });
      const { session, lost } = await open(url);
      expect(session.maxFrameBytes).toBeGreaterThan(65_000);
      await session.declare(QUEUE);
      const largest = Buffer.alloc(session.maxFrameBytes, 7);
      await session.publish(QUEUE, Number.MAX_SAFE_INTEGER, largest);
      await expect(session.publish(QUEUE, 2, Buffer.alloc(65_537))).rejects.toThrow();
      await session.publish(QUEUE, 3, frame(3));
      const { got, numbers } = taker(session, 10);
      await until(() => got.length === 2);
      expect(numbers()).toEqual([Number.MAX_SAFE_INTEGER, 3]);
      expect(got[0]?.bytes.equals(largest)).toBe(true);
      expect(lost).toEqual([]);
    });

    test("a stream that somebody removes ends the session; the next one has it anew", async () => {
      const { url } = await server();
      const publishing = await open(url);
      const consuming = await open(url);
      await publishing.session.declare(QUEUE);
      const { got } = taker(consuming.session, 10);
      await publishing.session.publish(QUEUE, 1, frame(1));
      await until(() => got.length === 1);
      const client = await connect({ servers: url });
      await (await jetstreamManager(client)).streams.delete("millrace=orders=r1=parse~2");
      await client.close();
      await expect(publishing.session.publish(QUEUE, 2, frame(2))).rejects.toMatchObject({
        code: "MR_ENGINE_UNREACHABLE",
      });
      await until(() => publishing.lost.length === 1 && consuming.lost.length === 1, 30_000);
      const { session } = await open(url);
      await session.declare(QUEUE);
      await session.publish(QUEUE, 3, frame(3));
    });
  });

  describe.skipIf(isMissing("nats-server"))(
    "what is wrong with a NATS server is said",
    { timeout: 60_000 },
    () => {
      const refused = { code: "MR_ENGINE_REFUSED", retryable: false };

      test("nobody there, and somebody else there", async () => {
        const port = await freePort();
        await expect(attempt(`nats://127.0.0.1:${port}`)).rejects.toMatchObject({
          code: "MR_ENGINE_UNREACHABLE",
          retryable: true,
        });
        const other = createServer((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
        await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
        await expect(attempt(`nats://127.0.0.1:${port}`)).rejects.toMatchObject(refused);
        other.close();
      });

      test("a wrong password", async () => {
        const { url } = await server({ users: { mill: "p@ss/1" } });
        await (await open(url)).session.declare(QUEUE);
        const wrong = attempt(url.replace(/:\/\/.*@/, "://mill:wrong@"));
        await expect(wrong).rejects.toMatchObject(refused);
        await expect(wrong).rejects.toThrow(/authorization/i);
        await expect(wrong).rejects.not.toThrow(/wrong@/);
      });

      test.skipIf(isMissing("openssl"))(
        "another TLS authority, none that is known, and TLS where there is none",
        async () => {
          const { url, certificates } = await server({ tls: true });
          const pem = (file: string | undefined): string => readFileSync(file as string, "utf8");
          const { session } = await open(url, { ca: pem(certificates?.ca) });
          await session.declare(QUEUE);
          await expect(attempt(url, { ca: pem(certificates?.otherCa) })).rejects.toMatchObject(refused);
          await expect(attempt(url)).rejects.toMatchObject(refused);
          const plain = await server();
          await expect(attempt(`${plain.url}?tls=true`)).rejects.toMatchObject(refused);
        },
      );

      test("a server without JetStream, and rights that are not given", async () => {
        const without = await server({ jetstream: false });
        const off = attempt(without.url);
        await expect(off).rejects.toMatchObject(refused);
        await expect(off).rejects.toThrow("nats-server --jetstream");
        const strict = await server({
          config: [
            `authorization { users: [{ user: "a", password: "b", permissions: { publish: ["$JS.API.INFO"], subscribe: ["_INBOX.>"] } }] }`,
          ],
        });
        const { session } = await open(strict.url.replace("://", "://a:b@"));
        await expect(session.declare(QUEUE)).rejects.toMatchObject(refused);
      });

      test("a stream that is there already, and unlike", async () => {
        const { url } = await server();
        const { session } = await open(url);
        await session.declare(QUEUE, { maxBytes: 2_000_000 });
        const unlike = session.declare(QUEUE, { maxBytes: 3_000_000 });
        await expect(unlike).rejects.toMatchObject({ code: "MR_ENGINE_QUEUE_DIFFERS" });
        await expect(unlike).rejects.toThrow("max_bytes is 2000000, not 3000000");
        const client = await connect({ servers: url });
        const jsm = await jetstreamManager(client);
        await jsm.streams.add({ name: "theirs", subjects: ["millrace.theirs"] });
        await client.close();
        await expect(session.declare("millrace.theirs")).rejects.toMatchObject({
          code: "MR_ENGINE_QUEUE_DIFFERS",
        });
        await session.declare("millrace.own", { storage: "memory" });
      });

      test("copies on a cluster that is too old for them", async () => {
        const { url } = await server();
        const { session } = await open(url, { replicas: 3 });
        // A newer server that stands alone says that it is no cluster.
        const isOld = /NATS 2\.(\d\.|10\.([01]?\d|2[0-6])\b)/.test(session.server);
        await expect(session.declare(QUEUE)).rejects.toMatchObject({
          code: isOld ? "MR_ENGINE_TOO_OLD" : "MR_ENGINE_REFUSED",
        });
      });
    },
  );
}
