import { readFileSync } from "node:fs";
import { connect } from "amqplib";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { nodeEnv } from "../../../src/env/node.ts";
import { amqpBroker } from "../../../src/streams/brokers/amqp.ts";
import type { Arrival, BrokerSession } from "../../../src/streams/brokers/broker.ts";
import type { BrokerOptions } from "../../../src/streams/brokers/open-broker.ts";
import { type RabbitmqServer, startRabbitmq } from "../../support/rabbitmq.ts";
import { isMissing } from "../../support/server-program.ts";

const SECONDS = 1_000;
const waited = { timeout: 20 * SECONDS, interval: 20 };

interface Watched {
  readonly session: BrokerSession;
  readonly lost: Error[];
  readonly blocked: (string | undefined)[];
}

const opened: BrokerSession[] = [];
afterEach(async () => {
  for (const session of opened.splice(0)) await session.close();
});

async function open(url: string, options: BrokerOptions = {}, timeoutMs = 10 * SECONDS): Promise<Watched> {
  const lost: Error[] = [];
  const blocked: (string | undefined)[] = [];
  const session = await amqpBroker(nodeEnv, url, options).connect(
    { lost: (problem) => lost.push(problem), blocked: (reason) => blocked.push(reason) },
    timeoutMs,
  );
  opened.push(session);
  return { session, lost, blocked };
}

async function publish(session: BrokerSession, queue: string, from: number, to: number): Promise<void> {
  const confirmed: Promise<void>[] = [];
  for (let n = from; n < to; n++) confirmed.push(session.publish(queue, n, Buffer.from(`frame ${n}`)));
  await Promise.all(confirmed);
}

/** What a queue hands out, as it comes. */
function collect(session: BrokerSession, queue: string, limit: number) {
  const arrivals: Arrival[] = [];
  const intake = session.consume(queue, (arrival) => arrivals.push(arrival));
  intake.limit(limit);
  return { arrivals, intake, numbers: () => arrivals.map((arrival) => arrival.number) };
}

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe.skipIf(isMissing("rabbitmq-server", "openssl"))("RabbitMQ as a broker", () => {
  let server: RabbitmqServer;
  let url: string;

  beforeAll(async () => {
    server = await startRabbitmq();
    url = server.url;
  }, 60 * SECONDS);
  afterAll(() => server.stop());

  test.for(["classic", "quorum"])(
    "a %s queue hands out frames in order, those first that a closed session had in its hands",
    async (queueType) => {
      const queue = `millrace.orders.r1.${queueType}`;
      const { session } = await open(url, { queueType });
      expect(session.server).toMatch(/^RabbitMQ \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+$/);
      expect(session.confirmSurvives).toBe("power-loss");
      await session.declare(queue);
      await session.declare(queue);
      const largest = Buffer.alloc(session.maxFrameBytes, "x");
      await Promise.all([publish(session, queue, 2 ** 40, 2 ** 40 + 20), session.publish(queue, 7, largest)]);
      const first = collect(session, queue, 100);
      await vi.waitFor(() => expect(first.arrivals).toHaveLength(21), waited);
      expect(first.numbers()).toEqual([...upTo(2 ** 40, 2 ** 40 + 20), 7]);
      expect(first.arrivals[0]?.bytes.toString()).toBe(`frame ${2 ** 40}`);
      expect(first.arrivals[20]?.bytes.equals(largest)).toBe(true);
      for (const i of [0, 1, 4, 20]) first.arrivals[i]?.ack();
      await publish(session, queue, 50, 52);
      await session.close();
      // Acknowledging what a gone session handed out does nothing.
      first.arrivals[2]?.ack();

      const again = await open(url, { queueType });
      const second = collect(again.session, queue, 100);
      await vi.waitFor(() => expect(second.arrivals).toHaveLength(19), waited);
      const left = [2, 3, ...upTo(5, 20)].map((i) => 2 ** 40 + i);
      expect(second.numbers()).toEqual([...left, 50, 51]);
      for (const arrival of second.arrivals) arrival.ack();
      await again.session.drop(queue);
      await again.session.drop(queue);
      expect(await again.session.waiting(queue)).toBe(0);
      expect(again.lost).toEqual([]);
    },
  );

  test("never more are in our hands than the limit allows, however it is raised and lowered", async () => {
    const { session, lost } = await open(url);
    const queue = "millrace.limit";
    await session.declare(queue);
    await publish(session, queue, 0, 600);
    const inHands: Arrival[] = [];
    const seen: (number | undefined)[] = [];
    const tooMany: number[][] = [];
    let limit = 0;
    let allowed = 0;
    const intake = session.consume(queue, (arrival) => {
      inHands.push(arrival);
      seen.push(arrival.number);
      if (inHands.length > allowed) tooMany.push([inHands.length, allowed]);
    });
    // From the middle, from both ends: acknowledgements come in any order.
    const ackSome = (many: number) => {
      for (let i = 0; i < many && inHands.length > 0; i++)
        inHands.splice((i * 7) % inHands.length, 1)[0]?.ack();
    };
    expect(await session.waiting(queue)).toBe(600);
    for (const next of [3, 1, 10, 10, 4, 25, 26, 27, 28, 29, 30, 31, 32, 0, 2, 80, 5, 40, 1, 60]) {
      // What is on its way when the limit is lowered still comes.
      allowed = Math.max(limit, next, inHands.length);
      limit = next;
      intake.limit(limit);
      await vi.waitFor(() => expect(inHands.length).toBeGreaterThanOrEqual(limit * 0.75), waited);
      allowed = Math.max(limit, inHands.length);
      ackSome(Math.ceil(inHands.length / 2));
    }
    while (seen.length < 600) {
      const before = seen.length;
      ackSome(inHands.length);
      await vi.waitFor(() => expect(seen.length).toBeGreaterThan(before), waited);
    }
    expect(tooMany).toEqual([]);
    expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(upTo(0, 600));
    ackSome(inHands.length);
    intake.close();
    expect(await session.waiting(queue)).toBe(0);
    expect(lost).toEqual([]);
    await session.close();
    const after = await open(url);
    const { arrivals } = collect(after.session, queue, 10);
    await publish(after.session, queue, 900, 901);
    await vi.waitFor(() => expect(arrivals.map((each) => each.number)).toEqual([900]), waited);
  });

  test("a queue that is unlike, or wrongly described, is an error of its own; all else goes on", async () => {
    const { session, lost } = await open(url);
    await session.declare("millrace.unlike");
    await session.declare("millrace.lives");
    const lives = collect(session, "millrace.lives", 10);
    await expect(session.declare("millrace.unlike", { queueType: "quorum" })).rejects.toMatchObject({
      code: "MR_ENGINE_QUEUE_DIFFERS",
      message: expect.stringMatching(/millrace\.unlike.*inequivalent arg 'x-queue-type'/),
    });
    const described = [
      session.declare("millrace.wrong", { arguments: { "x-max-length": -4 } }),
      session.declare("millrace.fine", { arguments: { "x-max-length": 5 } }),
      session.declare("millrace.losing", { arguments: { "x-message-ttl": 1000 } }),
      session.declare("millrace.dropping", { arguments: { "x-overflow": "drop-head" } }),
    ];
    expect(await Promise.allSettled(described)).toMatchObject([
      { reason: { code: "MR_ENGINE_REFUSED", message: expect.stringContaining("x-max-length") } },
      { status: "fulfilled" },
      { reason: { code: "MR_BAD_OPTION" } },
      { reason: { code: "MR_BAD_OPTION" } },
    ]);
    await publish(session, "millrace.lives", 0, 3);
    await vi.waitFor(() => expect(lives.numbers()).toEqual([0, 1, 2]), waited);
    expect(lost).toEqual([]);
    expect(() => amqpBroker(nodeEnv, url, { queueType: "stream" })).toThrow(
      /queueType.*"classic" or "quorum"/,
    );
    expect(() => amqpBroker(nodeEnv, `${url}?queuetype=quorum`, {})).toThrow("queuetype");
    expect(() => amqpBroker(nodeEnv, url, { ca: "/etc/ca.pem" })).toThrow("-----BEGIN");
  });

  test("frames go through the exchange that a stage names", async () => {
    const { session } = await open(url);
    await session.declare("millrace.by-exchange", { exchange: "millrace-exchange" });
    const copies = await connect(url);
    const channel = await copies.createChannel();
    await channel.assertQueue("copies", { durable: true });
    await channel.bindQueue("copies", "millrace-exchange", "millrace.by-exchange");
    await publish(session, "millrace.by-exchange", 5, 6);
    expect(await session.waiting("millrace.by-exchange")).toBe(1);
    expect(await channel.get("copies", { noAck: true })).toMatchObject({
      content: Buffer.from("frame 5"),
      properties: { messageId: "5", deliveryMode: 2 },
    });
    channel.sendToQueue("millrace.by-exchange", Buffer.from("from elsewhere"));
    const { numbers } = collect(session, "millrace.by-exchange", 5);
    await vi.waitFor(() => expect(numbers()).toEqual([5, undefined]), waited);
    await copies.close();
  });

  test("a full queue refuses, and takes again when there is room", async () => {
    const { session, lost } = await open(url, { arguments: { "x-max-length": 2 } });
    await session.declare("millrace.full");
    const results = await Promise.allSettled(
      upTo(0, 10).map((n) => session.publish("millrace.full", n, Buffer.from("x"))),
    );
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "MR_ENGINE_FULL" });
    const { arrivals } = collect(session, "millrace.full", 20);
    await vi.waitFor(() => expect(arrivals.length).toBe(10 - refused.length), waited);
    for (const arrival of arrivals) arrival.ack();
    await session.publish("millrace.full", 11, Buffer.from("x"));
    expect(lost).toEqual([]);
  });

  const setTimes = (held: number, tick: number) =>
    server.control(
      "eval",
      `application:set_env(rabbit, consumer_timeout, ${held}), application:set_env(rabbit, channel_tick_interval, ${tick}).`,
    );

  test("a message that is held for longer than RabbitMQ allows comes again, and its session lives on", async () => {
    const { session, lost } = await open(url);
    await session.declare("millrace.held");
    // How long a message may be held, and how often a channel looks for such: half an hour, and a minute.
    await setTimes(1_000, 500);
    await publish(session, "millrace.held", 0, 3);
    const { arrivals, numbers } = collect(session, "millrace.held", 2);
    await vi.waitFor(() => expect(numbers()).toEqual([0, 1, 0, 1]), waited);
    await setTimes(1_800_000, 60_000);
    const ackAll = () => {
      for (const arrival of arrivals) arrival.ack();
      expect(numbers()).toContain(2);
    };
    await vi.waitFor(ackAll, waited);
    expect(new Set(numbers())).toEqual(new Set([0, 1, 2]));
    expect(lost).toEqual([]);
  });

  test("a queue that somebody removes ends the session, and nothing is confirmed into the void", async () => {
    const admin = await connect(url);
    const channel = await admin.createChannel();
    const first = await open(url);
    await first.session.declare("millrace.removed");
    await channel.deleteQueue("millrace.removed");
    await expect(first.session.publish("millrace.removed", 1, Buffer.from("x"))).rejects.toMatchObject({
      code: "MR_ENGINE_UNREACHABLE",
      message: expect.stringContaining("millrace.removed was removed"),
    });
    expect(first.lost).toHaveLength(1);
    const second = await open(url);
    await second.session.declare("millrace.removed");
    collect(second.session, "millrace.removed", 5);
    await publish(second.session, "millrace.removed", 0, 1);
    await channel.deleteQueue("millrace.removed");
    await vi.waitFor(() => expect(second.lost).toHaveLength(1), waited);
    await admin.close();
  });

  test("with an alarm publishing waits, while frames are still handed out and acknowledged", async () => {
    const { session, blocked, lost } = await open(await server.addVhost());
    await session.declare("millrace.alarm");
    await publish(session, "millrace.alarm", 0, 10);
    await server.raiseAlarm("memory");
    try {
      let confirmed = false;
      const held = session.publish("millrace.alarm", 10, Buffer.from("late")).then(() => {
        confirmed = true;
      });
      await vi.waitFor(() => expect(blocked).toHaveLength(1), waited);
      expect(blocked[0]).toContain("low on memory");
      const { arrivals, intake } = collect(session, "millrace.alarm", 20);
      await vi.waitFor(() => expect(arrivals).toHaveLength(10), waited);
      for (const arrival of arrivals) arrival.ack();
      await session.declare("millrace.alarm.2");
      intake.close();
      expect(await session.waiting("millrace.alarm")).toBe(0);
      expect(confirmed).toBe(false);
      await server.clearAlarm("memory");
      await held;
      expect(blocked).toEqual([blocked[0], undefined]);
      expect(lost).toEqual([]);
    } finally {
      await server.clearAlarm("memory");
    }
  });

  test("what keeps a connection from being made is told apart, and no password is shown", async () => {
    const { port } = server;
    const cases: [string, string, RegExp][] = [
      [
        `amqp://guest:wr0ng@127.0.0.1:${port}`,
        "MR_ENGINE_REFUSED",
        /guest@127.*user or password.*ACCESS_REFUSED/,
      ],
      [`amqp://nobody:wr0ng@127.0.0.1:${port}`, "MR_ENGINE_REFUSED", /nobody@/],
      [`amqp://127.0.0.1:${port}/no-such-vhost`, "MR_ENGINE_REFUSED", /no-such-vhost.*the vhost/],
      ["amqp://127.0.0.1:1", "MR_ENGINE_UNREACHABLE", /ECONNREFUSED/],
      ["amqp://no-such-host.invalid", "MR_ENGINE_UNREACHABLE", /no-such-host.invalid:5672/],
      [`amqps://127.0.0.1:${port}`, "MR_ENGINE_REFUSED", /no TLS is spoken there/],
    ];
    for (const [address, code, message] of cases) {
      const error = await open(address).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect((error as Error).message).not.toContain("wr0ng");
    }
  });
});

describe.skipIf(isMissing("rabbitmq-server", "openssl"))("a RabbitMQ server that goes away", () => {
  test(
    "TLS: the authority that is named is trusted, and no other",
    async () => {
      const server = await startRabbitmq({ tls: true });
      try {
        const { ca, otherCa } = server.certificates ?? { ca: "", otherCa: "" };
        const { session } = await open(server.url, { ca: readFileSync(ca, "utf8") });
        await session.declare("millrace.tls");
        await publish(session, "millrace.tls", 0, 3);
        expect(await session.waiting("millrace.tls")).toBe(3);
        for (const options of [{ ca: readFileSync(otherCa, "utf8") }, {}])
          await expect(open(server.url, options)).rejects.toMatchObject({ code: "MR_ENGINE_REFUSED" });
        await expect(open(server.url.replace("amqps:", "amqp:"))).rejects.toMatchObject({
          code: "MR_ENGINE_UNREACHABLE",
        });
      } finally {
        await server.stop();
      }
    },
    60 * SECONDS,
  );

  test(
    "killed and started again it has every frame that it confirmed; the loss is told once",
    async () => {
      let server = await startRabbitmq();
      try {
        const { session, lost } = await open(server.url);
        await session.declare("millrace.killed");
        const confirmed: number[] = [];
        const rejected: unknown[] = [];
        const inFlight: Promise<void>[] = [];
        for (let n = 0; confirmed.length < 3_000; n++) {
          inFlight.push(
            session.publish("millrace.killed", n, Buffer.alloc(2_000, "x")).then(
              () => void confirmed.push(n),
              (error) => void rejected.push(error),
            ),
          );
          if (n % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await server.kill();
        await Promise.all(inFlight);
        for (const error of rejected) expect(error).toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
        expect(lost).toMatchObject([{ code: "MR_ENGINE_UNREACHABLE" }]);
        await expect(session.declare("millrace.killed")).rejects.toMatchObject({
          code: "MR_ENGINE_UNREACHABLE",
        });
        await expect(session.publish("millrace.killed", 1, Buffer.from("x"))).rejects.toMatchObject({
          code: "MR_ENGINE_UNREACHABLE",
        });
        await expect(open(server.url)).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
        server = await server.restart();
        const after = await open(server.url);
        await after.session.declare("millrace.killed");
        const { numbers } = collect(after.session, "millrace.killed", 60_000);
        await vi.waitFor(() => expect(numbers()).toEqual(expect.arrayContaining(confirmed)), waited);
      } finally {
        await server.stop();
      }
    },
    90 * SECONDS,
  );

  test(
    "one that hangs is noticed by its silence, and does not hold up an attempt to connect or a farewell",
    async () => {
      const server = await startRabbitmq();
      try {
        const { session, lost } = await open(server.url, { heartbeatSeconds: 1 });
        const leaving = await open(server.url);
        await session.declare("millrace.hangs");
        process.kill(server.pid, "SIGSTOP");
        const held = session.publish("millrace.hangs", 1, Buffer.from("x")).catch((error) => error);
        await vi.waitFor(() => expect(lost).toHaveLength(1), waited);
        expect(lost[0]?.message).toContain("Heartbeat timeout");
        expect(await held).toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
        await expect(open(server.url, {}, 300)).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });
        await leaving.session.close();
        expect(leaving.lost).toEqual([]);
        process.kill(server.pid, "SIGCONT");
        const after = await open(server.url);
        await after.session.declare("millrace.hangs");
      } finally {
        process.kill(server.pid, "SIGCONT");
        await server.stop();
      }
    },
    60 * SECONDS,
  );
});
