import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, headers as natsHeaders } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DefinitionError, fromQueue, pipeline, run, start, toQueue } from "../../src/index.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { killOverAndOver, relayed, relayProject } from "../support/relay.ts";
import { isMissing } from "../support/server-program.ts";

const isAway = isMissing("nats-server");
const served = test.skipIf(isAway);
const TOTAL = 6_000;
const USERS = { mill: "s3cret/1" };

let server: NatsServer;
let others: NatsConnection;
let manager: JetStreamManager;

async function join(): Promise<void> {
  others = await connect({ servers: `127.0.0.1:${server.port}`, user: "mill", pass: USERS.mill });
  manager = await jetstreamManager(others);
}
beforeEach(async () => {
  if (isAway) return;
  server = await startNats({ users: USERS });
  await join();
  await manager.streams.add({ name: "IN", subjects: ["in.>"] });
  await manager.streams.add({ name: "OUT", subjects: ["out.*"] });
});
afterEach(async () => {
  await others?.close();
  await server?.stop().catch(() => undefined);
});

async function fill(from: number, to: number): Promise<void> {
  const js = jetstream(others);
  for (let id = from; id <= to; id += 200) {
    const ids = upTo(Math.min(to, id + 199), id);
    await Promise.all(
      ids.map((each) => {
        const headers = natsHeaders();
        headers.set("tenant", `t${each % 3}`);
        return js.publish(`in.${each % 2 === 0 ? "even" : "odd"}`, JSON.stringify({ id: each }), { headers });
      }),
    );
  }
}

interface Seen {
  readonly subject: string;
  readonly body: string;
  readonly tenant: string;
}

/** All messages of a stream, as another program reads them. */
async function messagesIn(stream: string): Promise<Seen[]> {
  const { state } = await manager.streams.info(stream);
  const seen: Seen[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    if (message === null) continue;
    const { subject, header } = message;
    seen.push({ subject, body: Buffer.from(message.data).toString(), tenant: header.get("tenant") });
  }
  return seen;
}
const idsIn = async (stream: string): Promise<number[]> =>
  (await messagesIn(stream)).map(({ body }) => (JSON.parse(body) as { id: number }).id);
const count = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.messages;
const upTo = (to: number, from = 1): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);

describe("JetStream", () => {
  served(
    "messages of other programs flow in with their headers, and out again; what does not decode is a dead letter",
    async () => {
      await fill(1, 500);
      others.publish("in.odd", Buffer.from([0x7b, 0xff]));
      await others.flush();
      const p = pipeline("orders");
      const feed = p.source("feed", fromQueue<{ id: number }>(server.url, { stream: "IN", until: "empty" }));
      const tag = p.stage("tag", ({ id }: { id: number }, ctx) => ({ id, tenant: ctx.item.headers.tenant }));
      const out = toQueue<{ id: number; tenant: string | undefined }>(server.url, {
        stream: "OUT",
        subject: ({ tenant }) => `out.${tenant}`,
        headers: ({ tenant = "" }) => ({ tenant }),
      });
      feed.to(tag).to(p.sink("out", out));
      const done = await run(p);

      expect(done.status).toBe("completed");
      expect(done.stages.feed).toMatchObject({ emitted: 500, dead: 1 });
      const seen = await messagesIn("OUT");
      expect(sorted(seen.map(({ body }) => JSON.parse(body).id))).toEqual(upTo(500));
      for (const { subject, body, tenant } of seen) {
        expect(JSON.parse(body).tenant).toBe(tenant);
        expect(subject).toBe(`out.${tenant}`);
      }
      // Acknowledged, and left for whoever else reads the stream.
      expect(await count("IN")).toBe(501);
      expect(await manager.consumers.info("IN", "millrace_orders_feed")).toMatchObject({
        num_pending: 0,
        num_ack_pending: 0,
      });
    },
  );

  served(
    "a message larger than an item stays where it is, and does not keep the source from its end",
    async () => {
      others.publish("in.large", Buffer.from(JSON.stringify("x".repeat(1_000_000))));
      await fill(1, 3);
      const seen: number[] = [];
      const p = pipeline("large");
      p.source("feed", fromQueue<{ id: number }>(server.url, { stream: "IN", until: "empty" })).to(
        p.sink("out", ({ id }: { id: number }) => void seen.push(id)),
      );
      expect(await run(p)).toMatchObject({ status: "completed", deadLetters: 0 });
      expect(sorted(seen)).toEqual(upTo(3));
      const { num_ack_pending, num_pending } = await manager.consumers.info("IN", "millrace_large_feed");
      expect([num_ack_pending, num_pending]).toEqual([1, 0]);
    },
  );

  served("a filter, a consumer of one's own, a start with what is new; until it is stopped", async () => {
    await fill(1, 10);
    await manager.consumers.add("IN", { durable_name: "team", ack_policy: "explicit", ack_wait: 3e9 });
    const all: number[] = [];
    const even: number[] = [];
    const p = pipeline("live");
    p.source("all", fromQueue<{ id: number }>(server.url, { stream: "IN", consumer: "team" })).to(
      p.sink("see", ({ id }: { id: number }) => void all.push(id)),
    );
    const fresh = fromQueue<{ id: number }>(server.url, { stream: "IN", filter: "in.even", start: "new" });
    p.source("fresh", fresh).to(p.sink("count", ({ id }: { id: number }) => void even.push(id)));
    const handle = await start(p);
    await vi.waitFor(() => expect(all).toEqual(upTo(10)));
    await vi.waitFor(() => manager.consumers.info("IN", "millrace_live_fresh"));
    await fill(11, 20);
    await vi.waitFor(() => expect(all).toEqual(upTo(20)));
    await vi.waitFor(() => expect(even).toEqual([12, 14, 16, 18, 20]));
    await handle.stop();
    await handle.done;
  });

  served(
    "no more than prefetch are in hand while a stage is full, and none comes twice for that",
    async () => {
      await fill(1, 2_000);
      await manager.consumers.add("IN", { durable_name: "slow", ack_policy: "explicit", ack_wait: 2e9 });
      const p = pipeline("slow");
      const called: number[] = [];
      let letGo = () => {};
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      const from = fromQueue<{ id: number }>(server.url, { stream: "IN", consumer: "slow", prefetch: 50 });
      const feed = p.source("feed", from, { capacity: { items: 100 } });
      const hold = async ({ id }: { id: number }) => {
        called.push(id);
        await gate;
      };
      feed.to(p.sink("out", hold, { capacity: { items: 100 } }));
      const handle = await start(p);
      await vi.waitFor(() => expect(called).toHaveLength(1));
      // Longer than ack_wait: the server hears that they are worked on.
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      const held = await manager.consumers.info("IN", "slow");
      expect(held.num_ack_pending).toBeLessThanOrEqual(50);
      expect(held.num_redelivered).toBe(0);
      letGo();
      await vi.waitFor(() => expect(called.length).toBe(2_000), { timeout: 20_000 });
      expect(called).toEqual(upTo(2_000));
      await handle.stop();
      await handle.done;
    },
  );
});

describe("no message of a stream is lost", () => {
  const relay = (): CliProject =>
    relayProject(server.url, { stream: "IN" }, { stream: "OUT", subject: "out.all" });
  const out = (): Promise<number> => count("OUT");

  served(
    "when the processes of source, sink and streams are killed over and over",
    { timeout: 180_000 },
    async () => {
      await fill(1, TOTAL);
      const running = relay().start("relay.ts", [], { timeoutMs: 170_000 });
      const killed = await killOverAndOver(running, ["source", "sink", "source", "streams", "sink"], out);
      const { code, json, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(killed).toBeGreaterThan(3);
      expect(unsettled(json)).toEqual({});
      expect(sorted(new Set(await idsIn("OUT")))).toEqual(upTo(TOTAL));
      expect(await manager.consumers.info("IN", "millrace_relay_feed")).toMatchObject({
        num_pending: 0,
        num_ack_pending: 0,
      });
    },
  );

  served(
    "when NATS itself is killed and comes back; the log says it once each way",
    { timeout: 120_000 },
    async () => {
      await fill(1, 4_000);
      const running = relay().start("relay.ts", [], { timeoutMs: 110_000 });
      await relayed(out);
      await others.close();
      await server.kill();
      await running.until((stderr) => (stderr.match(/is away; waits for it/g) ?? []).length >= 2);
      server = await server.restart();
      await join();
      const { code, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(sorted(new Set(await idsIn("OUT")))).toEqual(upTo(4_000));
      expect(stderr.match(/is away; waits for it/g)).toHaveLength(2);
      expect(stderr.match(/the broker is back/g), stderr).toHaveLength(2);
    },
  );
});

describe("a subject", () => {
  served("is heard while the run lasts, and spoken to; members of a group share it", async () => {
    const heard: Seen[] = [];
    others.subscribe("answers.>", {
      callback: (_, { subject, data, headers }) =>
        void heard.push({
          subject,
          body: Buffer.from(data).toString(),
          tenant: headers?.get("tenant") ?? "",
        }),
    });
    const p = pipeline("talk");
    const feeds = ["one", "two"].map((name) =>
      p.source(name, fromQueue<string>(server.url, { subject: "questions.*", group: "mill", codec: "text" })),
    );
    const answer = p.stage("answer", (text: string) => text.toUpperCase());
    for (const feed of feeds) feed.to(answer);
    const out = toQueue<string>(server.url, {
      subject: (text) => `answers.${text.toLowerCase()}`,
      codec: "text",
      headers: () => ({ tenant: "ours" }),
    });
    answer.to(p.sink("out", out));
    const handle = await start(p);
    await vi.waitFor(async () => {
      others.publish("questions.ready", "ready");
      await others.flush();
      expect(heard).not.toEqual([]);
    });
    const words = upTo(200).map((n) => `word${n}`);
    for (const word of words) others.publish("questions.asked", word);
    await vi.waitFor(() => {
      const asked = heard.filter(({ body }) => body.startsWith("WORD"));
      expect(asked).toHaveLength(200);
    });
    expect(heard.at(-1)).toMatchObject({ tenant: "ours" });
    for (const { subject, body } of heard) expect(subject).toBe(`answers.${body.toLowerCase()}`);
    await handle.stop();
    const done = await handle.done;
    expect((done.stages.one?.emitted ?? 0) * (done.stages.two?.emitted ?? 0)).toBeGreaterThan(0);
  });
});

describe("what is wrong is said", () => {
  test("wrong options, before anything starts", () => {
    const url = "nats://u:geheim@localhost";
    const wrong = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        return error instanceof DefinitionError ? `${error.code} ${error.message}` : String(error);
      }
      return "nothing";
    };
    const none = wrong(() => fromQueue(url, {}));
    expect(none).toContain("exactly one of these must name the queue: stream, subject");
    expect(none).not.toContain("geheim");
    expect(wrong(() => fromQueue(url, { stream: "a", subject: "b" }))).toContain("exactly one");
    expect(wrong(() => fromQueue(url, { subject: "b", consumer: "x" }))).toContain("no option consumer here");
    expect(wrong(() => toQueue(url, { stream: "a" }))).toContain("must name the queue: subject");
  });

  served(
    "a stream that is not there, a subject that it does not take, a wrong password, an end of what has none",
    { timeout: 120_000 },
    async () => {
      const source = (from: object, to: string, url = server.url): string => `
        import { fromQueue, pipeline, toQueue } from "millrace";
        const p = pipeline("refused");
        p.source("feed", fromQueue(${JSON.stringify(url)}, ${JSON.stringify(from)})).to(p.sink("out", ${to}));
        export default p;
      `;
      await fill(1, 1);
      const ignore = "() => undefined";
      const to = (subject: string): string =>
        `toQueue(${JSON.stringify(server.url)}, { stream: "OUT", subject: ${JSON.stringify(subject)} })`;
      const project = cliProject({
        "missing.ts": source({ stream: "NONE" }, ignore),
        "subject.ts": source({ stream: "IN", until: "empty" }, to("elsewhere")),
        "wrong.ts": source({ stream: "IN" }, ignore, server.url.replace(/:\/\/.*@/, "://mill:nope@")),
        "endless.ts": source({ subject: "a", until: "empty" }, ignore),
        "name.ts": source({ stream: "IN", filter: "a..b" }, ignore),
      });
      const said = async (file: string): Promise<string> => {
        const { code, stderr } = await project.run(file, ["--new"], { timeoutMs: 60_000 });
        expect(code, stderr).not.toBe(0);
        return stderr;
      };
      expect(await said("missing.ts")).toContain("there is no stream NONE");
      expect(await said("subject.ts")).toContain("OUT does not take elsewhere, it takes out.*");
      const wrong = await said("wrong.ts");
      expect(wrong).toMatch(/authorization violation/i);
      expect(wrong).not.toContain("nope");
      expect(await said("endless.ts")).toContain('until: "empty" has no meaning for a subject');
      expect(await said("name.ts")).toContain("filter must be a subject");
    },
  );

  served("an item for which there is no subject is a dead letter of its sink", async () => {
    const p = pipeline("sizes");
    const sink = toQueue<{ id: number }>(server.url, {
      stream: "OUT",
      subject: ({ id }) => (id === 2 ? "a b" : id === 3 ? "elsewhere.x" : "out.fine"),
    });
    const out = p.sink("out", sink, { retry: { attempts: 1 } });
    p.source("feed", () => [{ id: 1 }, { id: 2 }, { id: 3 }]).to(out);
    const done = await run(p);
    expect(done.stages.out).toMatchObject({ completed: 1, dead: 2 });
    expect(await idsIn("OUT")).toEqual([1]);
  });
});
