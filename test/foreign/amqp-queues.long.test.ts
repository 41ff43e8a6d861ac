import { type ChannelModel, type ConfirmChannel, connect, type GetMessage } from "amqplib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { DefinitionError, fromQueue, pipeline, run, start, toQueue } from "../../src/index.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import { type RabbitmqServer, startRabbitmq } from "../support/rabbitmq.ts";
import { killOverAndOver, relayed, relayProject } from "../support/relay.ts";
import { isMissing } from "../support/server-program.ts";

const isAway = isMissing("rabbitmq-server");
const served = test.skipIf(isAway);
const TOTAL = 6_000;

let server: RabbitmqServer;
/** A vhost of the test's own. */
let url: string;
/** Another program's connection. */
let others: ChannelModel;
let channel: ConfirmChannel;

async function join(): Promise<void> {
  others = await connect(url);
  others.on("error", () => undefined);
  channel = await others.createConfirmChannel();
  channel.on("error", () => undefined);
}
beforeAll(async () => {
  if (!isAway) server = await startRabbitmq({ users: { mill: "s3cret/1" } });
});
beforeEach(async () => {
  if (isAway) return;
  url = await server.addVhost();
  await join();
  await channel.assertQueue("in", { durable: true });
  await channel.assertQueue("out", { durable: true });
});
afterEach(async () => {
  await others?.close().catch(() => undefined);
});
afterAll(async () => {
  await server?.stop().catch(() => undefined);
});

interface Numbered {
  readonly id: number;
}

async function fill(from: number, to: number): Promise<void> {
  for (const id of upTo(to, from)) {
    channel.sendToQueue("in", Buffer.from(JSON.stringify({ id })), {
      persistent: true,
      headers: { tenant: `t${id % 3}`, size: id, deep: { a: [1] } },
      type: "order",
      messageId: `m${id}`,
    });
  }
  await channel.waitForConfirms();
}

/** All messages of a queue, as another program takes them. */
async function messagesIn(queue: string): Promise<GetMessage[]> {
  const seen: GetMessage[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return seen;
    seen.push(message);
  }
}
const idOf = ({ content }: GetMessage): number => (JSON.parse(content.toString()) as Numbered).id;
const count = async (queue: string): Promise<number> => (await channel.checkQueue(queue)).messageCount;
const upTo = (to: number, from = 1): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);

describe("messages of other programs", () => {
  served("one larger than an item stays where it is, and does not keep the source from its end", async () => {
    channel.sendToQueue("in", Buffer.from(JSON.stringify("x".repeat(1_000_000))));
    await fill(1, 3);
    const seen: number[] = [];
    const p = pipeline("large");
    p.source("feed", fromQueue<Numbered>(url, { queue: "in", until: "empty" })).to(
      p.sink("out", ({ id }: Numbered) => void seen.push(id)),
    );
    expect(await run(p)).toMatchObject({ status: "completed", deadLetters: 0 });
    expect(sorted(seen)).toEqual(upTo(3));
    await expect.poll(() => count("in")).toBe(1);
  });

  served(
    "flow in with their headers and properties, and out by an exchange; what does not decode is a dead letter",
    async () => {
      await channel.assertExchange("priced", "topic", { durable: true });
      await channel.bindQueue("out", "priced", "order.*");
      await fill(1, 500);
      channel.sendToQueue("in", Buffer.from([0x7b, 0xff]));
      await channel.waitForConfirms();
      const p = pipeline("orders");
      const from = fromQueue<Numbered>(url, {
        queue: "in",
        until: "empty",
        properties: ["type", "routingKey"],
      });
      const feed = p.source("feed", from);
      const tag = p.stage("tag", ({ id }: Numbered, ctx) => ({ id, headers: { ...ctx.item.headers } }));
      const out = toQueue<{ id: number; headers: Record<string, string> }>(url, {
        exchange: "priced",
        routingKey: ({ id }) => `order.${id % 2 === 0 ? "even" : "odd"}`,
        headers: ({ headers }) => ({ tenant: headers.tenant ?? "" }),
        properties: ({ id }) => ({ type: "priced", correlationId: `c${id}`, priority: 1 }),
      });
      feed.to(tag).to(p.sink("out", out));
      const done = await run(p);

      expect(done.status).toBe("completed");
      expect(done.stages.feed).toMatchObject({ emitted: 500, dead: 1 });
      const seen = await messagesIn("out");
      expect(sorted(seen.map(idOf))).toEqual(upTo(500));
      const names = new Set<string>();
      for (const message of seen) {
        const id = idOf(message);
        const { headers } = JSON.parse(message.content.toString()) as { headers: Record<string, string> };
        expect(headers).toMatchObject({
          tenant: `t${id % 3}`,
          size: `${id}`,
          deep: '{"a":[1]}',
          type: "order",
          routingKey: "in",
        });
        expect(message.fields.routingKey).toBe(id % 2 === 0 ? "order.even" : "order.odd");
        expect(message.properties).toMatchObject({
          headers: { tenant: `t${id % 3}` },
          contentType: "application/json",
          correlationId: `c${id}`,
          deliveryMode: 2,
          priority: 1,
          type: "priced",
        });
        names.add(String(message.properties.messageId));
      }
      expect(names.size).toBe(500);
      expect(await count("in")).toBe(0);
    },
  );

  served("come while it runs, in order; headers go on by themselves", async () => {
    const seen: number[] = [];
    const p = pipeline("live");
    const feed = p.source("feed", fromQueue<Numbered>(url, { queue: "in" }));
    feed.to(p.sink("see", ({ id }: Numbered) => void seen.push(id)));
    feed.to(p.sink("copy", toQueue<Numbered>(url, { queue: "out" }), { concurrency: 1 }));
    const handle = await start(p);
    for (const from of [1, 11, 21]) {
      await fill(from, from + 9);
      await vi.waitFor(() => expect(seen).toEqual(upTo(from + 9)));
    }
    await vi.waitFor(async () => expect(await count("out")).toBe(30));
    await handle.stop();
    await handle.done;
    const copies = await messagesIn("out");
    expect(copies.map(idOf)).toEqual(upTo(30));
    expect(copies[4]?.properties.headers).toEqual({ tenant: "t2", size: "5", deep: '{"a":[1]}' });
  });

  served("are held no more than prefetch at a time while a stage is full", async () => {
    await fill(1, 2_000);
    const called: number[] = [];
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const p = pipeline("slow");
    const from = fromQueue<Numbered>(url, { queue: "in", prefetch: 50 });
    const hold = async ({ id }: Numbered) => {
      called.push(id);
      await gate;
    };
    p.source("feed", from, { capacity: { items: 100 } }).to(
      p.sink("out", hold, { capacity: { items: 100 } }),
    );
    const handle = await start(p);
    await vi.waitFor(() => expect(called).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const vhost = decodeURIComponent(new URL(url).pathname.slice(1));
    const listed = await server.control("list_queues", "-p", vhost, "name", "messages_unacknowledged");
    const [, held] = /^in\s+(\d+)/m.exec(listed) ?? [];
    expect(Number(held)).toBeLessThanOrEqual(50);
    expect(await count("in")).toBeGreaterThan(1_000);
    letGo();
    await vi.waitFor(() => expect(called.length).toBe(2_000), { timeout: 20_000 });
    expect(called).toEqual(upTo(2_000));
    await handle.stop();
    await handle.done;
    expect(await count("in")).toBe(0);
  });
});

describe("no message is lost", () => {
  const relay = (): CliProject => relayProject(url, { queue: "in" }, { queue: "out" });
  const out = (): Promise<number> => count("out");

  served(
    "when the processes of source, sink and streams are killed over and over",
    { timeout: 180_000 },
    async () => {
      await fill(1, TOTAL);
      const running = relay().start("relay.ts", [], { timeoutMs: 170_000 });
      const killed = await killOverAndOver(
        running,
        ["source", "sink", "source", "streams", "sink", "source"],
        out,
      );
      const { code, json, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(killed).toBeGreaterThan(4);
      expect(unsettled(json)).toEqual({});
      const ids = (await messagesIn("out")).map(idOf);
      expect(sorted(new Set(ids))).toEqual(upTo(TOTAL));
      // What was in hand may be there twice: 300 of the source, 250 of the sink, and what streams had given out.
      expect(ids.length - TOTAL).toBeLessThan(killed * 1_000);
      expect(await count("in")).toBe(0);
    },
  );

  served(
    "when RabbitMQ itself is killed and comes back; the log says it once each way",
    { timeout: 120_000 },
    async () => {
      await fill(1, 4_000);
      const running = relay().start("relay.ts", [], { timeoutMs: 110_000 });
      await relayed(out);
      await server.kill();
      await running.until((stderr) => (stderr.match(/is away; waits for it/g) ?? []).length >= 2);
      server = await server.restart();
      await join();
      const { code, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(sorted(new Set((await messagesIn("out")).map(idOf)))).toEqual(upTo(4_000));
      expect(stderr.match(/is away; waits for it/g)).toHaveLength(2);
      expect(stderr.match(/the broker is back/g), stderr).toHaveLength(2);
    },
  );

  served(
    "when a queue is full, or an alarm blocks all who publish: items wait, and are not failed by it",
    { timeout: 60_000 },
    async () => {
      await channel.assertQueue("small", {
        durable: true,
        arguments: { "x-max-length": 10, "x-overflow": "reject-publish" },
      });
      const p = pipeline("full");
      const feed = p.source("feed", () => upTo(50).map((id) => ({ id })));
      feed.to(p.sink("out", toQueue<Numbered>(url, { queue: "small" })));
      const handle = await start(p);
      await vi.waitFor(async () => expect(await count("small")).toBe(10));
      await server.raiseAlarm("memory");
      const seen: number[] = [];
      await vi.waitFor(
        async () => {
          seen.push(...(await messagesIn("small")).map(idOf));
          if (seen.length >= 10) await server.clearAlarm("memory");
          expect(seen.length).toBeGreaterThanOrEqual(50);
        },
        { timeout: 40_000, interval: 100 },
      );
      const done = await handle.done;
      expect(done.stages.out).toMatchObject({ completed: 50, dead: 0 });
      expect(sorted(new Set(seen))).toEqual(upTo(50));
    },
  );
});

describe("what is wrong is said", () => {
  test("wrong options, before anything starts", () => {
    const there = "amqp://u:geheim@localhost";
    const wrong = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        return error instanceof DefinitionError ? `${error.code} ${error.message}` : String(error);
      }
      return "nothing";
    };
    const none = wrong(() => fromQueue(there, {}));
    expect(none).toContain("exactly one of these must name the queue: queue");
    expect(none).not.toContain("geheim");
    expect(wrong(() => fromQueue(there, { queue: "" }))).toContain("queue is empty");
    expect(wrong(() => fromQueue(there, { queue: "a", stream: "b" }))).toContain("no option stream here");
    expect(wrong(() => toQueue(there, { queue: "a", exchange: "b" }))).toContain("exactly one");
    expect(wrong(() => toQueue(there, { queue: "a", routingKey: "b" }))).toContain(
      "no option routingKey here",
    );
    expect(wrong(() => toQueue(there, { exchange: "", routingKey: "b" }))).toBe("nothing");
  });

  served(
    "no such queue, exchange or vhost, a wrong password, an option of another URL: the setup fails with the reason",
    { timeout: 120_000 },
    async () => {
      const module = (from: string, to = "() => undefined"): string => `
        import { fromQueue, pipeline, toQueue } from "millrace";
        const p = pipeline("refused");
        p.source("feed", ${from}).to(p.sink("out", ${to}));
        export default p;
      `;
      const from = (at: string, options: object = { queue: "in" }): string =>
        `fromQueue(${JSON.stringify(at)}, ${JSON.stringify(options)})`;
      const to = (options: object): string => `toQueue(${JSON.stringify(url)}, ${JSON.stringify(options)})`;
      const project = cliProject({
        "queue.ts": module(from(url, { queue: "none" })),
        "exchange.ts": module(from(url), to({ exchange: "nowhere" })),
        "vhost.ts": module(from(url.replace(/\/[^/]*$/, "/elsewhere"))),
        "wrong.ts": module(from(url.replace(/:\/\/.*@/, "://mill:nope@"))),
        "option.ts": module(from(`${url}?queueType=quorum`)),
        "default.ts": module(from(url), to({ exchange: "" })),
      });
      const said = async (file: string): Promise<string> => {
        const { code, stderr } = await project.run(file, ["--new"], { timeoutMs: 60_000 });
        expect(code, stderr).not.toBe(0);
        return stderr;
      };
      expect(await said("queue.ts")).toContain("there is no queue none");
      expect(await said("exchange.ts")).toContain("there is no exchange nowhere");
      expect(await said("vhost.ts")).toContain("the vhost: it does not exist");
      const wrong = await said("wrong.ts");
      expect(wrong).toContain("user or password");
      expect(wrong).not.toContain("nope");
      expect(await said("option.ts")).toContain("its URL may carry heartbeatSeconds, not queueType");
      expect(await said("default.ts")).toContain("the default exchange needs a routingKey");
    },
  );

  served("a message that finds no queue fails its item, and is dropped when that is asked for", async () => {
    await channel.assertExchange("events", "direct", { durable: true });
    await channel.bindQueue("out", "events", "known");
    const p = pipeline("routes");
    const feed = p.source("feed", () => upTo(4).map((id) => ({ id })));
    const keys = ["known", "unknown", "k".repeat(300), "known"];
    const routingKey = ({ id }: Numbered): string => keys[id - 1] as string;
    const retry = { attempts: 2, backoff: { initialMs: 1 } };
    const strict = toQueue<Numbered>(url, { exchange: "events", routingKey });
    feed.to(p.sink("strict", strict, { retry }));
    const loose = toQueue<Numbered>(url, { exchange: "events", routingKey, mandatory: false });
    feed.to(p.sink("loose", loose, { retry }));
    const done = await run(p);
    expect(done.stages.strict).toMatchObject({ completed: 2, dead: 2 });
    expect(done.stages.loose).toMatchObject({ completed: 3, dead: 1 });
    expect(sorted((await messagesIn("out")).map(idOf))).toEqual([1, 1, 4, 4]);
  });

  served(
    "headers that only RabbitMQ writes are not sent on, and what cannot be written is a dead letter",
    async () => {
      const p = pipeline("headers");
      const feed = p.source("feed", () => upTo(3).map((id) => ({ id })));
      const out = toQueue<Numbered>(url, {
        queue: "out",
        headers: ({ id }) => ({
          CC: "a",
          "x-death": "b",
          ...(id === 2 ? { ["n".repeat(300)]: "c" } : { d: "e" }),
        }),
        properties: ({ id }) => (id === 3 ? { priority: 300 } : {}),
      });
      feed.to(p.sink("out", out, { retry: { attempts: 1 } }));
      const done = await run(p);
      expect(done.stages.out).toMatchObject({ completed: 1, dead: 2 });
      const [only] = await messagesIn("out");
      expect(only?.properties.headers).toEqual({ d: "e" });
    },
  );

  served(
    "a queue that is removed while it is read: told, and read again once it is back",
    { timeout: 60_000 },
    async () => {
      const seen: number[] = [];
      const p = pipeline("gone");
      p.source("feed", fromQueue<Numbered>(url, { queue: "in" })).to(
        p.sink("see", ({ id }: Numbered) => void seen.push(id)),
      );
      const handle = await start(p);
      await fill(1, 5);
      await vi.waitFor(() => expect(seen).toEqual(upTo(5)));
      await channel.deleteQueue("in");
      // Long enough for it to find that there is none; sooner or later it must go on all the same.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await channel.assertQueue("in", { durable: true });
      await fill(6, 10);
      await vi.waitFor(() => expect(seen).toEqual(upTo(10)), { timeout: 30_000 });
      await handle.stop();
      await handle.done;
    },
  );
});
