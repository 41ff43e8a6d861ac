import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DefinitionError, fromQueue, pipeline, run, secret, start, toQueue } from "../../src/index.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { killOverAndOver, relayed, relayProject } from "../support/relay.ts";
import { isMissing } from "../support/server-program.ts";

const isAway = isMissing("redis-server");
const served = test.skipIf(isAway);
const TOTAL = 6_000;

let server: RedisServer;
let others: Redis;
const connected = () => {
  const client = new Redis(server.port, "127.0.0.1", { retryStrategy: null });
  client.on("error", () => undefined);
  return client;
};
beforeEach(async () => {
  if (isAway) return;
  server = await startRedis({ appendfsync: "always" });
  others = connected();
});
afterEach(async () => {
  others?.disconnect();
  await server?.stop().catch(() => undefined);
});

async function fill(stream: string, from: number, to: number): Promise<void> {
  const filling = others.pipeline();
  for (let id = from; id <= to; id++)
    filling.xadd(stream, "*", "data", JSON.stringify({ id }), "tenant", `t${id % 3}`);
  await filling.exec();
}

const idsIn = async (stream: string): Promise<number[]> =>
  (await others.xrange(stream, "-", "+")).map(
    ([, fields]) => (JSON.parse(fields[1] ?? "") as { id: number }).id,
  );
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);

const relay = (kind: "stream" | "list"): CliProject =>
  relayProject(server.url, { [kind]: "in" }, { stream: "out" });
const relayedSoFar = (): Promise<number> => others.xlen("out");

describe("no message is lost", () => {
  served.each(["stream", "list"] as const)(
    "when the processes of source, sink and streams are killed over and over, reading a %s",
    { timeout: 120_000 },
    async (kind) => {
      if (kind === "stream") await fill("in", 1, TOTAL);
      else await others.rpush("in", ...upTo(TOTAL).map((id) => JSON.stringify({ id })));
      const running = relay(kind).start("relay.ts", [], { timeoutMs: 110_000 });
      const killed = await killOverAndOver(
        running,
        ["source", "sink", "source", "streams", "sink", "source"],
        relayedSoFar,
      );
      const { code, json, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(killed).toBeGreaterThan(4);
      expect(unsettled(json)).toEqual({});
      const out = await idsIn("out");
      expect(sorted(new Set(out))).toEqual(upTo(TOTAL));
      // What was in hand may be there twice: 300 of the source, 250 of the sink, and what streams had given out.
      expect(out.length - TOTAL).toBeLessThan(killed * 1_000);
      if (kind === "stream")
        expect(await others.xpending("in", "millrace.relay")).toEqual([0, null, null, null]);
      else expect(await others.keys("in*")).toEqual([]);
    },
  );

  served(
    "when Redis itself is killed and comes back; the log says it once each way",
    { timeout: 90_000 },
    async () => {
      await fill("in", 1, 4_000);
      const running = relay("stream").start("relay.ts", [], { timeoutMs: 80_000 });
      await relayed(relayedSoFar);
      await server.kill();
      await running.until((stderr) => (stderr.match(/is away; waits for it/g) ?? []).length >= 2);
      // A moment longer: a broker that stays away is not news.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      server = await startRedis({ folder: server.folder, port: server.port, appendfsync: "always" });
      others.disconnect();
      others = connected();
      const { code, stderr } = await running.ended;
      expect(code, stderr).toBe(0);
      expect(sorted(new Set(await idsIn("out")))).toEqual(upTo(4_000));
      expect(stderr.match(/is away; waits for it/g)).toHaveLength(2);
      expect(stderr.match(/the broker is back/g), stderr).toHaveLength(2);
    },
  );
});

served(
  "a source holds no more than prefetch while a stage is full, and is ended without an acknowledgement too many",
  async () => {
    await fill("in", 1, 5_000);
    const p = pipeline("slow");
    let called = 0;
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const feed = p.source("feed", fromQueue<{ id: number }>(server.url, { stream: "in", prefetch: 50 }), {
      capacity: { items: 100 },
    });
    const out = p.sink(
      "out",
      async () => {
        called++;
        await gate;
      },
      { capacity: { items: 100 } },
    );
    feed.to(out);
    const handle = await start(p);
    await vi.waitFor(() => expect(called).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const [pending] = (await others.xpending("in", "millrace.slow")) as [number];
    expect(pending).toBeLessThanOrEqual(50);
    const delivered = Number(((await others.xinfo("GROUPS", "in")) as unknown[][])[0]?.[9]);
    expect(delivered).toBeLessThan(1_500);
    letGo();
    await vi.waitFor(() => expect(called).toBeGreaterThan(200), { timeout: 10_000 });
    await handle.stop();
    await handle.done;
  },
);

served(
  "messages that come while it runs; a group of one's own; entries removed; other sides; a custom codec",
  async () => {
    await others.xadd("in", "*", "n", "0");
    await others.xgroup("CREATE", "in", "team", "0");
    const seen: unknown[] = [];
    const p = pipeline("live");
    p.source("feed", fromQueue(server.url, { stream: "in", group: "team", field: "*", remove: true })).to(
      p.sink("see", (item) => void seen.push(item)),
    );
    const words: string[] = [];
    p.source("words", fromQueue(server.url, { list: "words", side: "right", codec: "text" })).to(
      p.sink("say", (word: string) => void words.push(word)),
    );
    const handle = await start(p);
    await vi.waitFor(() => expect(seen).toEqual([{ n: "0" }]));
    for (let n = 1; n <= 3; n++) {
      await others.xadd("in", "*", "n", n, "k", "v");
      await vi.waitFor(() => expect(seen).toHaveLength(n + 1));
      await others.lpush("words", `w${n}`);
      await vi.waitFor(() => expect(words).toHaveLength(n));
    }
    expect(seen[3]).toEqual({ n: "3", k: "v" });
    expect(words).toEqual(["w1", "w2", "w3"]);
    await vi.waitFor(async () => expect(await others.xlen("in")).toBe(0));
    await handle.stop();
    await handle.done;
    expect(await others.keys("words*")).toEqual([]);
  },
);

served("an item that does not encode is a dead letter of its sink; a full broker is waited for", async () => {
  await others.config("SET", "proto-max-bulk-len", "1mb");
  const p = pipeline("sizes");
  const feed = p.source("feed", () => [1n, { id: 1 }, { id: 2 }]);
  feed.to(p.sink("out", toQueue<unknown>(server.url, { stream: "out" })));
  await others.config("SET", "min-replicas-to-write", "1");
  const handle = await start(p);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await others.config("SET", "min-replicas-to-write", "0");
  const done = await handle.done;
  expect(done.stages.out).toMatchObject({ completed: 2, dead: 1 });
  expect(sorted(await idsIn("out"))).toEqual([1, 2]);
});

describe("what is wrong is said", () => {
  test("wrong options, before anything starts", () => {
    const wrong = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        return error instanceof DefinitionError ? `${error.code} ${error.message}` : String(error);
      }
      return "nothing";
    };
    const url = "redis://u:geheim@localhost";
    expect(wrong(() => fromQueue("http://x", {}))).toMatch(/its URL must begin with .*redis:\/\//);
    const none = wrong(() => fromQueue(url, {}));
    expect(none).toMatch(
      /^MR_BAD_OPTION fromQueue\(redis:\/\/localhost\): exactly one of these must name the queue: stream, list/,
    );
    expect(none).not.toContain("geheim");
    expect(wrong(() => fromQueue(url, { stream: "a", list: "b" }))).toContain("exactly one");
    expect(wrong(() => fromQueue(url, { list: "b", field: "x" }))).toContain("there is no option field here");
    expect(wrong(() => fromQueue(url, { list: "b", prefetch: 0 }))).toContain(
      "prefetch must be a whole number of at least 1",
    );
    expect(wrong(() => fromQueue(url, { list: "b", codec: "xml" as never }))).toContain(
      'codec must be "json"',
    );
    expect(wrong(() => toQueue(url, { list: "b", codec: { decode: () => 1 } }))).toContain(
      "an object with encode()",
    );
    expect(wrong(() => toQueue(url, { list: "b", credentials: "u:p" as never }))).toMatch(
      /credentials must be secret/,
    );
    for (const address of ["REDIS://:hidden@h", "redis:/:hidden@h", "redis://a@b:hidden@h"])
      expect(wrong(() => fromQueue(address, {}))).toMatch(
        /^MR_BAD_OPTION fromQueue\(redis:(\/\/h|…)\): exactly one/,
      );
    expect(wrong(() => secret("not a name"))).toContain("environment variable");
  });

  served(
    "a message larger than an item stays where it is, and does not keep the source from its end",
    async () => {
      const large = JSON.stringify("x".repeat(1_000_000));
      await others.xadd("in", "*", "data", "1");
      const id = await others.xadd("in", "*", "data", large);
      await others.rpush("jobs", large, "2");
      const p = pipeline("large");
      const out: number[] = [];
      const sink = p.sink("out", (n: number) => void out.push(n));
      p.source("stream", fromQueue<number>(server.url, { stream: "in", until: "empty" })).to(sink);
      p.source("list", fromQueue<number>(server.url, { list: "jobs", until: "empty" })).to(sink);
      expect(await run(p)).toMatchObject({ status: "completed", deadLetters: 0 });
      expect(out.sort()).toEqual([1, 2]);
      expect(await others.xpending("in", "millrace.large")).toMatchObject([1, id, id, expect.anything()]);
      expect(await others.lrange("jobs:millrace:large.list", 0, -1)).toEqual([large]);
    },
  );

  served(
    "a source that is closed takes no more, says so once, and leaves the rest to the broker",
    async () => {
      const project = cliProject({
        "closing.ts": `
        import { fromQueue, pipeline } from "millrace";
        import { note } from "./note.ts";
        const p = pipeline("closing");
        p.source("feed", fromQueue(${JSON.stringify(server.url)}, { stream: "in" })).to(
          p.sink("out", async (n: number) => { note(n); await new Promise((resolve) => setTimeout(resolve, 300)); }, { capacity: { items: 1 } }));
        export default p;
      `,
      });
      for (let n = 1; n <= 12; n++) await others.xadd("in", "*", "data", `${n}`);
      const run = project.start("closing.ts");
      await run.until(() => project.notes().length > 0);
      expect(
        await project.millrace(["push", "closing/feed", "--close", "--data", project.data]),
      ).toMatchObject({
        code: 0,
      });
      for (const n of [13, 14, 15]) await others.xadd("in", "*", "data", `${n}`);
      const { code, stderr } = await run.ended;
      expect(code, stderr).toBe(0);
      expect(stderr).not.toContain("cannot be stored");
      expect(stderr.match(/the source is closed: no more messages are taken/g)).toHaveLength(1);
      expect(project.notes<number>().sort((a, b) => a - b)).toEqual(
        Array.from({ length: 12 }, (_, i) => i + 1),
      );
    },
  );

  served(
    "wrong credentials, a missing secret, a key that is no stream: the setup fails with the reason",
    { timeout: 90_000 },
    async () => {
      await others.config("SET", "requirepass", "right");
      await others.auth("right");
      await others.set("in", "text");
      const source = (options: object): string => `
      import { fromQueue, pipeline, secret } from "millrace";
      const p = pipeline("refused");
      const options = ${JSON.stringify(options)};
      if (options.secret) options.credentials = secret(options.secret);
      delete options.secret;
      p.source("feed", fromQueue(${JSON.stringify(server.url)}, options)).to(p.sink("out", () => undefined));
      export default p;
    `;
      const project = cliProject({
        "wrong.ts": source({ list: "in", credentials: { user: "", password: "wrong" } }),
        "unset.ts": source({ list: "in", secret: "NO_SUCH_SECRET" }),
        "text.ts": source({ stream: "in", secret: "MILLRACE_TEST_MQ" }),
      });
      const settings = { env: { MILLRACE_TEST_MQ: ":right" }, timeoutMs: 60_000 };
      const [wrong, unset, text] = [
        await project.run("wrong.ts", [], settings),
        await project.run("unset.ts", ["--new"], settings),
        await project.run("text.ts", ["--new"], settings),
      ];
      expect(wrong.code, wrong.stderr).toBe(1);
      expect(wrong.stderr).toMatch(/WRONGPASS/);
      expect(wrong.stderr).not.toContain('"wrong"');
      expect(unset.stderr).toContain("environment variable NO_SUCH_SECRET is not set");
      expect(text.stderr).toContain("it is no stream");
    },
  );
});
