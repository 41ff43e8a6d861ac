import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fromQueue, pipeline, start, toQueue } from "../../src/index.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/server-program.ts";

const isAway = isMissing("redis-server");
const served = test.skipIf(isAway);

let server: RedisServer;
let others: Redis;
beforeEach(async () => {
  if (isAway) return;
  server = await startRedis();
  others = new Redis(server.port, "127.0.0.1");
});
afterEach(async () => {
  others?.disconnect();
  await server?.stop();
});

interface Order {
  readonly id: number;
}

served(
  "messages of other programs flow in with their headers, and out again; what does not decode is a dead letter",
  async () => {
    const total = 500;
    const filling = others.pipeline();
    for (let id = 1; id <= total; id++)
      filling.xadd("orders", "*", "data", JSON.stringify({ id }), "tenant", `t${id % 3}`);
    filling.xadd("orders", "*", "data", Buffer.from([0x7b, 0xff]), "tenant", "t9");
    filling.xadd("orders", "*", "body", "{}");
    for (let id = 1; id <= total; id++) filling.rpush("jobs", `${id}`);
    await filling.exec();

    const p = pipeline("orders");
    const orders = p.source("orders", fromQueue<Order>(server.url, { stream: "orders", until: "empty" }));
    const jobs = p.source(
      "jobs",
      fromQueue(server.url, {
        list: "jobs",
        prefetch: 20,
        until: "empty",
        codec: { decode: (body) => Number(body.toString()) },
      }),
    );
    const tag = p.stage("tag", ({ id }: Order, ctx) => ({ id, tenant: ctx.item.headers.tenant }));
    orders.to(tag);
    tag.to(
      p.sink(
        "tagged",
        toQueue(server.url, {
          stream: "tagged",
          headers: ({ tenant = "" }: { tenant?: string | undefined }) => ({ tenant }),
        }),
      ),
    );
    jobs.to(
      p.sink(
        "squares",
        toQueue<number>(server.url, { list: "squares", codec: { encode: (n) => `${n * n}` } }),
      ),
    );
    const handle = await start(p);
    const done = await handle.done;

    expect(done.status).toBe("completed");
    expect(done.stages.orders).toMatchObject({ emitted: total, dead: 2 });
    const letters = await handle.dead.list();
    expect(letters.map(({ reason, item }) => [reason, item])).toEqual([
      ["not-decodable", Buffer.from([0x7b, 0xff])],
      ["not-decodable", Buffer.from('{"body":"{}"}')],
    ]);
    expect(letters[0]?.attempts).toMatchObject([{ error: { code: "MR_NOT_DECODABLE" } }]);
    const tagged = await others.xrange("tagged", "-", "+");
    expect(tagged.map(([, fields]) => fields)).toEqual(
      Array.from({ length: total }, (_, i) => {
        const tenant = `t${(i + 1) % 3}`;
        return ["data", JSON.stringify({ id: i + 1, tenant }), "tenant", tenant];
      }),
    );
    const squares = (await others.lrange("squares", 0, -1)).map(Number);
    expect(squares).toEqual(Array.from({ length: total }, (_, i) => (i + 1) ** 2));
    // Acknowledged, and left for whoever else reads them.
    expect(await others.xlen("orders")).toBe(total + 2);
    expect(await others.xpending("orders", "millrace.orders")).toEqual([0, null, null, null]);
    expect(await others.keys("jobs*")).toEqual([]);
  },
);
