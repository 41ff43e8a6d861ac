import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { importClient } from "../../../src/streams/brokers/import-client.ts";
import { certificates } from "../../support/certificates.ts";
import { freePort } from "../../support/free-port.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";
import { isMissing } from "../../support/server-program.ts";
import { brokerAt, connectTo, refusalOf, take, upTo } from "./redis-trial.ts";

const QUEUE = "millrace.orders.r1.parse";
const FRAME = Buffer.alloc(1_000, 7);
const PATIENCE = { timeout: 20_000 };

const isAway = isMissing("redis-server", "openssl");
const served = test.skipIf(isAway);

let server: RedisServer;
/** A client of the test's own, to configure and look into the server. */
let admin: Redis;
beforeEach(async () => {
  if (isAway) return;
  server = await startRedis({ appendfsync: "always" });
  admin = new Redis(server.port, "127.0.0.1", { retryStrategy: null });
  admin.on("error", () => undefined);
});
afterEach(async () => {
  if (isAway) return;
  admin.disconnect();
  // n.b. one that a failed test has stopped would not see the end.
  process.kill(server.pid, "SIGCONT");
  await server.stop().catch(() => undefined);
});

describe("what a session had in its hands", () => {
  served("comes first and in order in the next one, after a kill -9 of the server too", async () => {
    const broker = brokerAt(server.url);
    const first = await connectTo(broker);
    expect(first.session.confirmSurvives).toBe("power-loss");
    await first.session.declare(QUEUE);
    await Promise.all(upTo(300).map((n) => first.session.publish(QUEUE, n, FRAME)));
    const had = take(first, QUEUE, 200);
    await vi.waitFor(() => expect(had.numbers).toEqual(upTo(200)));
    for (const arrival of had.arrivals.slice(0, 100)) arrival.ack();
    await vi.waitFor(() => expect(had.numbers).toHaveLength(300));
    await vi.waitFor(async () => expect(await admin.xlen(QUEUE)).toBe(200));

    await server.kill();
    await vi.waitFor(() => expect(first.lost).toHaveLength(1));
    expect(first.lost[0]?.message).toMatch(/MR_ENGINE|cannot be reached/);
    expect(await refusalOf(first.session.publish(QUEUE, 301, FRAME))).toContain("MR_ENGINE_UNREACHABLE");
    expect(await refusalOf(connectTo(broker))).toContain("MR_ENGINE_UNREACHABLE");
    had.arrivals.at(-1)?.ack();

    server = await startRedis({ folder: server.folder, port: server.port, appendfsync: "always" });
    const second = await connectTo(broker);
    await second.session.declare(QUEUE);
    await second.session.publish(QUEUE, 301, FRAME);
    const again = take(second, QUEUE, 1_000);
    await vi.waitFor(() => expect(again.numbers).toEqual(upTo(201, 101)));
    for (const arrival of again.arrivals) arrival.ack();
    await vi.waitFor(async () => expect(await second.session.waiting(QUEUE)).toBe(0));
    await second.session.close();
    expect(first.lost).toHaveLength(1);
  });

  served("is found also where a dying connection took it after the next one had looked", async () => {
    const broker = brokerAt(`${server.url}?silenceMs=1500`);
    const trial = await connectTo(broker);
    await trial.session.declare(QUEUE);
    const { numbers, arrivals, intake } = take(trial, QUEUE, 1);
    await Promise.all(upTo(4).map((n) => trial.session.publish(QUEUE, n, FRAME)));
    await vi.waitFor(() => expect(numbers).toEqual([1]));
    // As a read does that was on its way when its connection died.
    await admin.xreadgroup("GROUP", "millrace", "millrace", "COUNT", 2, "STREAMS", QUEUE, ">");
    intake.limit(10);
    await vi.waitFor(() => expect(numbers).toEqual([1, 4]));
    arrivals[1]?.ack();
    await vi.waitFor(() => expect(numbers).toEqual([1, 4, 2, 3]), PATIENCE);
    for (const arrival of arrivals) arrival.ack();
    await vi.waitFor(async () => expect(await admin.xpending(QUEUE, "millrace")).toContain(0));
    await trial.session.close();
  });
});

served(
  "a queue is served at once although the reader waits for others, and a removed one disturbs nobody",
  async () => {
    const trial = await connectTo(brokerAt(server.url));
    const queues = upTo(40).map((n) => `${QUEUE}.${n}`);
    await Promise.all(queues.map((queue) => trial.session.declare(queue)));
    const taken = queues.map((queue, i) => take(trial, queue, i % 3 === 0 ? 0 : i));
    await Promise.all(queues.flatMap((queue) => upTo(5).map((n) => trial.session.publish(queue, n, FRAME))));
    await vi.waitFor(() =>
      expect(taken.map(({ numbers }) => numbers.length)).toEqual(
        queues.map((_, i) => (i % 3 === 0 ? 0 : Math.min(5, i))),
      ),
    );
    const before = performance.now();
    taken[0]?.intake.limit(3);
    await vi.waitFor(() => expect(taken[0]?.numbers).toEqual([1, 2, 3]), { interval: 5 });
    // n.b. it would be the whole wait in the server, two seconds, were that not ended.
    expect(performance.now() - before).toBeLessThan(1_500);
    await trial.session.drop(queues[5] as string);
    taken[3]?.intake.limit(9);
    await vi.waitFor(() => expect(taken[3]?.numbers).toEqual(upTo(5)));
    taken[4]?.intake.close();
    for (const arrival of taken[4]?.arrivals ?? []) arrival.ack();
    await trial.session.publish(queues[7] as string, 6, FRAME);
    for (const arrival of taken[7]?.arrivals ?? []) arrival.ack();
    await vi.waitFor(() => expect(taken[7]?.numbers).toEqual(upTo(6)));
    expect(taken[4]?.numbers).toEqual(upTo(4));
    expect(trial.lost).toEqual([]);
    await trial.session.close();
  },
);

served("a server that hangs is noticed, and all of it is there when it goes on", async () => {
  const broker = brokerAt(server.url, { silenceMs: 900 });
  const trial = await connectTo(broker);
  await trial.session.declare(QUEUE);
  const { numbers } = take(trial, QUEUE, 10);
  await Promise.all(upTo(30).map((n) => trial.session.publish(QUEUE, n, FRAME)));
  await vi.waitFor(() => expect(numbers).toEqual(upTo(10)));
  process.kill(server.pid, "SIGSTOP");
  const unconfirmed = refusalOf(trial.session.publish(QUEUE, 31, FRAME));
  await vi.waitFor(() => expect(trial.lost).toHaveLength(1), PATIENCE);
  expect(trial.lost[0]?.message).toContain("nothing was heard of it");
  expect(await unconfirmed).toContain("MR_ENGINE_UNREACHABLE");
  expect(await refusalOf(connectTo(broker, 500))).toMatch(/MR_ENGINE_UNREACHABLE.*no answer within 500 ms/);
  process.kill(server.pid, "SIGCONT");
  const next = await connectTo(broker);
  const again = take(next, QUEUE, 100);
  await vi.waitFor(() => expect(again.numbers.slice(0, 30)).toEqual(upTo(30)));
  await next.session.close();
});

served("an idle session is not taken for a dead one", async () => {
  const trial = await connectTo(brokerAt(server.url, { silenceMs: 300 }));
  await trial.session.declare(QUEUE);
  const { numbers, intake } = take(trial, QUEUE, 10);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  intake.limit(0);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  intake.limit(1);
  await trial.session.publish(QUEUE, 1, FRAME);
  await vi.waitFor(() => expect(numbers).toEqual([1]));
  expect(trial.lost).toEqual([]);
  await trial.session.close();
});

served("full memory refuses frames, says so once, and says when there is room again", async () => {
  const trial = await connectTo(brokerAt(server.url, { silenceMs: 600 }));
  await trial.session.declare(QUEUE);
  const { arrivals } = take(trial, QUEUE, 10_000);
  const used = Number(/used_memory:(\d+)/.exec(await admin.info("memory"))?.[1]);
  await admin.config("SET", "maxmemory", used + 3_000_000);
  const outcomes = await Promise.all(
    upTo(200).map((n) => refusalOf(trial.session.publish(QUEUE, n, Buffer.alloc(50_000, n)))),
  );
  const refused = outcomes.filter((outcome) => outcome.includes("MR_ENGINE_FULL"));
  const confirmed = outcomes.filter((outcome) => outcome === "nothing was refused");
  expect(refused.length).toBeGreaterThan(10);
  expect(confirmed.length).toBeGreaterThan(10);
  expect(refused.length + confirmed.length).toBe(200);
  expect(refused[0]).toContain("OOM");
  expect(trial.blocked).toHaveLength(1);
  await vi.waitFor(() => expect(arrivals).toHaveLength(confirmed.length));
  for (const arrival of arrivals) arrival.ack();
  await vi.waitFor(() => expect(trial.blocked).toHaveLength(2), PATIENCE);
  expect(trial.blocked[1]).toBeUndefined();
  await trial.session.publish(QUEUE, 201, FRAME);
  await vi.waitFor(() => expect(arrivals.at(-1)?.number).toBe(201));
  expect(trial.lost).toEqual([]);
  await trial.session.close();
});

served(
  "a queue that somebody removes ends the session, and is not taken for another program's by the next",
  async () => {
    const broker = brokerAt(server.url);
    const trial = await connectTo(broker);
    await trial.session.declare(QUEUE);
    await admin.flushall();
    const outcomes = await Promise.all(upTo(5).map((n) => refusalOf(trial.session.publish(QUEUE, n, FRAME))));
    for (const outcome of outcomes) expect(outcome).toMatch(/^MR_ENGINE_UNREACHABLE.*was removed there/);
    expect(trial.lost).toHaveLength(1);
    const next = await connectTo(broker);
    await next.session.declare(QUEUE);
    const { numbers } = take(next, QUEUE, 10);
    await Promise.all(upTo(5).map((n) => next.session.publish(QUEUE, n, FRAME)));
    await vi.waitFor(() => expect(numbers).toEqual(upTo(5)));
    await next.session.close();
  },
);

served("an acknowledgement that a full disk refused is made up for", async () => {
  const trial = await connectTo(brokerAt(server.url, { silenceMs: 600 }));
  await trial.session.declare(QUEUE);
  const { arrivals } = take(trial, QUEUE, 100);
  await Promise.all(upTo(20).map((n) => trial.session.publish(QUEUE, n, FRAME)));
  await vi.waitFor(() => expect(arrivals).toHaveLength(20));
  // Writes are refused for another reason that is mended later: too few replicas.
  await admin.config("SET", "min-replicas-to-write", "1");
  for (const arrival of arrivals) arrival.ack();
  await vi.waitFor(() => expect(trial.blocked).toHaveLength(1));
  expect(await refusalOf(trial.session.publish(QUEUE, 21, FRAME))).toContain("MR_ENGINE_FULL");
  expect(await admin.xlen(QUEUE)).toBe(20);
  await admin.config("SET", "min-replicas-to-write", "0");
  await vi.waitFor(
    () => expect(trial.blocked).toEqual([expect.stringContaining("NOREPLICAS"), undefined]),
    PATIENCE,
  );
  await vi.waitFor(async () => expect(await admin.xlen(QUEUE)).toBe(0));
  expect(await admin.xpending(QUEUE, "millrace")).toEqual([0, null, null, null]);
  await trial.session.close();
});

describe("who is not let in learns why", () => {
  const at = (userinfo: string, path = "") => `redis://${userinfo}127.0.0.1:${server.port}${path}`;
  const attempt = (url: string, options = {}) => refusalOf(connectTo(brokerAt(url, options), 1_000));

  served("passwords, rights, databases", async () => {
    expect(await attempt(at("", "/99"))).toMatch(/^MR_ENGINE_REFUSED.*DB index is out of range/);
    const trial = await connectTo(brokerAt(at(":needless@")));
    await trial.session.close();
    await admin.acl("SETUSER", "reader", "on", ">secret", "~millrace.*", "+@read", "+@connection", "+info");
    const reader = await connectTo(brokerAt(at("reader:secret@")));
    expect(await refusalOf(reader.session.declare(QUEUE))).toMatch(/^MR_ENGINE_REFUSED.*NOPERM/);
    await reader.session.close();
    await admin.config("SET", "requirepass", "secret");
    expect(await attempt(at(""))).toMatch(/^MR_ENGINE_REFUSED.*NOAUTH/);
    const wrong = await attempt(at("somebody:w%C3%B6rd@"));
    expect(wrong).toMatch(/^MR_ENGINE_REFUSED redis:\/\/somebody@127.*WRONGPASS/);
    expect(wrong).not.toContain("w%C3");
    const right = await connectTo(brokerAt(at(":secret@", "/2")));
    await right.session.close();
  });

  served("a user with the rights that are needed, and no more, works", async () => {
    await admin.acl(
      ...(["SETUSER", "orders", "on", ">pw", "~millrace.*", "resetchannels"] as const),
      ...(["+xgroup", "+xadd", "+xreadgroup", "+xack", "+xdel", "+xlen", "+xpending", "+xclaim"] as const),
      ...(["+unlink", "+ping", "+select"] as const),
    );
    const trial = await connectTo(brokerAt(at("orders:pw@"), { silenceMs: 600 }));
    expect(trial.session.confirmSurvives).toBe("nothing");
    await trial.session.declare(QUEUE);
    await trial.session.declare(`${QUEUE}~2`);
    const { numbers } = take(trial, QUEUE, 10);
    await trial.session.publish(QUEUE, 1, FRAME);
    await vi.waitFor(() => expect(numbers).toEqual([1]));
    // Without the right to end the reader's wait it is a short one.
    const other = take(trial, `${QUEUE}~2`, 10);
    await trial.session.publish(`${QUEUE}~2`, 1, FRAME);
    await vi.waitFor(() => expect(other.numbers).toEqual([1]));
    await trial.session.drop(QUEUE);
    expect(trial.lost).toEqual([]);
    await trial.session.close();
  });

  served("TLS: an authority that is not trusted, none, the right one, and no TLS at all", async () => {
    const files = certificates(server.folder);
    const port = await freePort();
    await admin.config(
      "SET",
      "tls-cert-file",
      files.cert,
      "tls-key-file",
      files.key,
      "tls-ca-cert-file",
      files.ca,
    );
    await admin.config("SET", "tls-auth-clients", "no", "tls-port", `${port}`);
    const url = `rediss://127.0.0.1:${port}`;
    const [ca, otherCa] = [files.ca, files.otherCa].map((file) => readFileSync(file, "utf8"));
    expect(await attempt(url)).toMatch(/^MR_ENGINE_REFUSED/);
    expect(await attempt(url, { ca: otherCa })).toMatch(/^MR_ENGINE_REFUSED/);
    expect(await attempt(`rediss://127.0.0.1:${server.port}`)).toMatch(/^MR_ENGINE_(REFUSED|UNREACHABLE)/);
    const trial = await connectTo(brokerAt(url, { ca }));
    await trial.session.declare(QUEUE);
    await trial.session.publish(QUEUE, 1, FRAME);
    await trial.session.close();
  });

  served("keys that are something else", async () => {
    const { session } = await connectTo(brokerAt(server.url));
    await admin.set("millrace.text", "x");
    expect(await refusalOf(session.declare("millrace.text"))).toMatch(/^MR_ENGINE_QUEUE_DIFFERS.*WRONGTYPE/);
    await admin.xadd("millrace.theirs", "*", "their", "field");
    expect(await refusalOf(session.declare("millrace.theirs"))).toMatch(
      /^MR_ENGINE_QUEUE_DIFFERS.*another program/,
    );
    expect(await admin.xinfo("GROUPS", "millrace.theirs")).toEqual([]);
    await session.close();
  });

  served("a replica is none to write to, from the start or from one moment to the next", async () => {
    const trial = await connectTo(brokerAt(server.url));
    await trial.session.declare(QUEUE);
    await admin.replicaof("127.0.0.1", await freePort());
    expect(await refusalOf(trial.session.publish(QUEUE, 1, FRAME))).toMatch(
      /^MR_ENGINE_UNREACHABLE.*READONLY/,
    );
    expect(trial.lost).toHaveLength(1);
    expect(await attempt(server.url)).toMatch(/^MR_ENGINE_UNREACHABLE.*it is a replica/);
  });

  served("wrong addresses", async () => {
    expect(() => brokerAt("redis://localhost/orders")).toThrow(/its database must be a number, got "orders"/);
    expect(() => brokerAt("redis://localhost", { queueType: "quorum" })).toThrow(/no option queueType/);
    // n.b. what cannot be read is not shown: nobody knows where its password is.
    expect(() => brokerAt("redis://u:geheim@localhost:port")).toThrow(
      /^streams: that is no URL of a Redis server/,
    );
    expect(await attempt("redis://127.0.0.1:1")).toMatch(/^MR_ENGINE_UNREACHABLE.*ECONNREFUSED/);
    expect(await attempt("redis://no-such-host.invalid")).toMatch(/^MR_ENGINE_UNREACHABLE/);
  });
});

served("it says what its confirmations are worth, and what is dangerous", async () => {
  const facts = async () => {
    const { session } = await connectTo(brokerAt(server.url));
    await session.close();
    return [session.confirmSurvives, session.cautions?.join("; ")];
  };
  expect(await facts()).toEqual(["power-loss", ""]);
  await admin.config("SET", "appendfsync", "everysec");
  expect(await facts()).toEqual([
    "process-death",
    expect.stringContaining("a power cut costs about a second"),
  ]);
  await admin.config("SET", "appendonly", "no", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru");
  expect(await facts()).toEqual(["nothing", expect.stringMatching(/appendonly is no.*allkeys-lru/)]);
});

/** Stands for servers that are not to be had: old ones, those that load, and what is no Redis. */
describe("a server that", () => {
  let other: Server | undefined;
  afterEach(() => void other?.close());
  const answering = async (answer: (command: string) => string): Promise<string> => {
    const port = await freePort();
    other = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (data) => socket.write(answer(data.toString().toUpperCase())));
    });
    await new Promise<void>((resolve) => other?.listen(port, "127.0.0.1", resolve));
    return refusalOf(connectTo(brokerAt(`redis://127.0.0.1:${port}`), 2_000));
  };
  const info = (text: string) => (command: string) =>
    command.includes("INFO") ? `$${text.length}\r\n${text}\r\n` : "+OK\r\n";

  served("is too old says which one is needed", async () => {
    expect(await answering(info("redis_version:6.0.16"))).toMatch(
      /^MR_ENGINE_TOO_OLD Redis 6\.0\.16 at .*Redis 6\.2 or later is needed/,
    );
  });
  served("is loading is tried again", async () => {
    expect(await answering(() => "-LOADING Redis is loading the dataset in memory\r\n")).toMatch(
      /^MR_ENGINE_UNREACHABLE.*LOADING/,
    );
    other?.close();
    expect(await answering(info("redis_version:7.0.0\r\nloading:1"))).toMatch(
      /^MR_ENGINE_UNREACHABLE.*LOADING/,
    );
  });
  served("belongs to a cluster is refused", async () => {
    expect(await answering(info("redis_version:7.0.0\r\nredis_mode:cluster"))).toMatch(
      /^MR_ENGINE_REFUSED.*node of a cluster/,
    );
  });
  served("is none is refused", async () => {
    expect(await answering(() => "HTTP/1.1 400 Bad Request\r\n\r\n")).toMatch(
      /^MR_ENGINE_REFUSED.*not a Redis server/,
    );
  });
});

served("without ioredis the package to install is named", async () => {
  const name = "no-such-client";
  expect(await refusalOf(importClient("Redis", name, () => import(/* @vite-ignore */ name)))).toBe(
    "MR_ENGINE_CLIENT_MISSING Redis: its client library is not installed; npm install no-such-client",
  );
});
