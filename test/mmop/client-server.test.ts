import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Backplane } from "../../src/backplane/contract.ts";
import { LocalBackplane } from "../../src/backplane/local.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { RemoteError, RunError } from "../../src/errors.ts";
import { MmopClient } from "../../src/mmop/client.ts";
import type { BodyOf } from "../../src/mmop/messages.ts";
import { MmopServer } from "../../src/mmop/server.ts";
import { BODIES, REPLIES } from "./samples.ts";

const coordinator = { name: "coordinator", boot: "c1" };
const agent = { name: "a1", boot: "b1" };

let local: LocalBackplane;
let connection: Backplane;
let errors: Error[];

beforeEach(() => {
  errors = [];
  local = new LocalBackplane(nodeEnv, { onError: (error) => errors.push(error) });
  connection = local.connect("c");
});
afterEach(() => local.close());

const commander = (epoch: number | undefined) =>
  new MmopClient(connection, { env: nodeEnv, self: coordinator, epoch: () => epoch });
const server = (self = agent) =>
  new MmopServer(local.connect(self.name), { self, onError: (error) => errors.push(error) });

describe("requests", () => {
  test("reach the agent that they name, and its reply comes back", async () => {
    const asked: unknown[] = [];
    const [started, refused] = REPLIES["agent.start-instance"];
    await server()
      .on("agent.start-instance", (body, message) => {
        asked.push(body, message.epoch, message.from);
        return started!;
      })
      .listen();
    await server({ name: "a2", boot: "b2" })
      .on("agent.start-instance", async () => refused!)
      .listen();
    const client = commander(5);
    expect(await client.request("agent.start-instance", "a1", BODIES["agent.start-instance"])).toEqual(
      started,
    );
    expect(await client.request("agent.start-instance", "a2", BODIES["agent.start-instance"])).toEqual(
      refused,
    );
    expect(asked).toEqual([BODIES["agent.start-instance"], 5, coordinator]);
    await expect(client.request("agent.ping", "a3", {})).rejects.toMatchObject({
      code: "MR_UNREACHABLE_PEER",
    });
    await expect(client.request("agent.ping", "a.3", {})).rejects.toMatchObject({ code: "MR_BAD_NAME" });
  });

  test("to the coordinator need no epoch, and its errors arrive typed", async () => {
    await server(coordinator)
      .on("coord.stop", () => ({ status: "stopped" }))
      .on("coord.status", ({ run }) => {
        throw new RunError("MR_RUN_UNKNOWN", `run ${run}: there is none; list them`, { details: { run } });
      })
      .listen();
    const client = new MmopClient(local.connect("cli"), { env: nodeEnv, self: { name: "cli", boot: "x" } });
    expect(await client.request("coord.stop", "coordinator", { run: "r1", now: false })).toEqual({
      status: "stopped",
    });
    const failed = client.request("coord.status", "coordinator", { run: "r9" });
    await expect(failed).rejects.toBeInstanceOf(RemoteError);
    await expect(failed).rejects.toMatchObject({ code: "MR_RUN_UNKNOWN", details: { run: "r9" } });
  });

  test("of a body that is malformed are refused before they are sent", async () => {
    const bad = { id: 7 } as unknown as BodyOf<"agent.stop-instance">;
    await expect(commander(1).request("agent.stop-instance", "a1", bad)).rejects.toMatchObject({
      code: "MR_PROTOCOL",
      details: { field: "body.id" },
    });
  });

  test("that arrive malformed, in another version or with an unknown verb get a typed refusal", async () => {
    await server()
      .on("agent.ping", () => ({ version: "0", epoch: 0 }))
      .listen();
    const head = { mmop: 1, from: coordinator, request: "q", epoch: 1, body: {} };
    const raw = (verb: string, message: unknown) => connection.request(`mr.v1.agent.a1.${verb}`, message);
    const code = (code: string, field: string) => ({ code, details: { field } });
    await expect(raw("ping", { ...head, verb: "agent.ping" })).resolves.toMatchObject({
      body: { version: "0" },
    });
    await expect(raw("ping", "hello")).rejects.toMatchObject(code("MR_PROTOCOL", "message"));
    await expect(raw("ping", { ...head, verb: "agent.ping", epoch: -1 })).rejects.toMatchObject(
      code("MR_PROTOCOL", "epoch"),
    );
    await expect(raw("ping", { ...head, verb: "agent.shutdown" })).rejects.toMatchObject(
      code("MR_PROTOCOL", "verb"),
    );
    await expect(raw("fly", { ...head, verb: "agent.fly" })).rejects.toMatchObject(
      code("MR_PROTOCOL", "verb"),
    );
    for (const verb of ["ping", "fly"]) {
      await expect(raw(verb, { ...head, mmop: 2, verb: `agent.${verb}` })).rejects.toMatchObject(
        code("MR_PROTOCOL_VERSION", "mmop"),
      );
    }
    // Known to the protocol, but not to this agent.
    await expect(commander(1).request("agent.stop-run", "a1", { run: "r" })).rejects.toMatchObject(
      code("MR_PROTOCOL", "verb"),
    );
    expect(errors).toEqual([]);
  });

  test("are not content with the reply to another request", async () => {
    await connection.respond("mr.v1.agent.a1.ping", () => ({
      mmop: 1,
      verb: "agent.ping",
      from: agent,
      request: "another",
      body: { version: "0", epoch: 0 },
    }));
    await expect(commander(1).request("agent.ping", "a1", {})).rejects.toMatchObject({
      code: "MR_PROTOCOL",
      details: { field: "request" },
    });
  });

  test("are refused where the reply of the handler is not what the protocol says", async () => {
    await server()
      .on("agent.ping", () => ({ version: "1" }) as never)
      .listen();
    await expect(commander(1).request("agent.ping", "a1", {})).rejects.toMatchObject({
      code: "MR_PROTOCOL",
      details: { field: "body.epoch" },
    });
  });
});

describe("epochs", () => {
  test("older than the newest seen are refused, and the command is not carried out", async () => {
    const stopped: string[] = [];
    const agentServer = server().on("agent.stop-run", ({ run }) => {
      stopped.push(run);
      return { known: true };
    });
    await agentServer.listen();
    const [older, newer] = [commander(4), commander(5)];
    await older.request("agent.stop-run", "a1", { run: "by the first" });
    await newer.request("agent.stop-run", "a1", { run: "by the second" });
    await expect(older.request("agent.stop-run", "a1", { run: "too late" })).rejects.toMatchObject({
      code: "MR_STALE_EPOCH",
      details: { epoch: 4, newest: 5 },
    });
    await newer.request("agent.stop-run", "a1", { run: "by the second again" });
    expect(stopped).toEqual(["by the first", "by the second", "by the second again"]);
    expect(agentServer.epoch).toBe(5);
  });

  test("must be had to give a command", async () => {
    await expect(commander(undefined).request("agent.ping", "a1", {})).rejects.toMatchObject({
      code: "MR_STALE_EPOCH",
    });
  });
});

describe("events", () => {
  test("of all types reach the listener in the order they were sent", async () => {
    const seen: string[] = [];
    await server(coordinator)
      .on("evt.instance-started", async ({ id }) => {
        await nodeEnv.timers.sleep(5); // a slow handler is not overtaken
        seen.push(`started ${id}`);
      })
      .on("evt.instance-exited", ({ id, cause }, { from }) => {
        seen.push(`exited ${id} ${cause} ${from.name}/${from.boot}`);
      })
      .on("hb", ({ seq }) => {
        seen.push(`hb ${seq}`);
      })
      .listen();
    const client = new MmopClient(local.connect("a1"), { env: nodeEnv, self: agent });
    client.publish("evt.instance-started", BODIES["evt.instance-started"]);
    client.publish("evt.instance-exited", BODIES["evt.instance-exited"]);
    client.publish("evt.suspects", BODIES["evt.suspects"]); // nobody handles it
    await expect.poll(() => seen).toEqual(["started i-1", "exited i-1 killed a1/b1"]);
    client.publish("hb", BODIES.hb);
    await expect.poll(() => seen.at(-1)).toBe("hb 3");
    expect(errors).toEqual([]);
  });

  test("that are malformed, forged or unknown are reported at most, and later ones still arrive", async () => {
    const seen: number[] = [];
    await server(coordinator)
      .on("hb", ({ seq }) => {
        seen.push(seq);
        if (seq === 1) throw new Error("handler failed");
      })
      .on("evt.suspects", () => {})
      .listen();
    const client = new MmopClient(connection, { env: nodeEnv, self: agent });
    connection.publish("mr.v1.hb.a1", { mmop: 1, verb: "hb" });
    connection.publish("mr.v1.hb.a1", { mmop: 3 });
    connection.publish("mr.v1.hb.a2", { mmop: 1, verb: "hb", from: agent, body: BODIES.hb });
    connection.publish("mr.v1.evt.a1.born-later", { mmop: 1 });
    client.publish("hb", { ...BODIES.hb, seq: 1 });
    client.publish("hb", { ...BODIES.hb, seq: 2 });
    await expect.poll(() => seen).toEqual([1, 2]);
    expect(errors).toMatchObject([
      { code: "MR_PROTOCOL", details: { field: "from" } },
      { code: "MR_PROTOCOL_VERSION" },
      { code: "MR_PROTOCOL", details: { field: "from.name" } },
      { message: "handler failed" },
    ]);
  });

  test("of a malformed body are refused to their sender", () => {
    const client = new MmopClient(connection, { env: nodeEnv, self: agent });
    expect(() => client.publish("hb", { ...BODIES.hb, seq: -1 })).toThrow(
      expect.objectContaining({ code: "MR_PROTOCOL", details: { field: "body.seq" } }),
    );
  });
});

test("a closed server answers nothing more", async () => {
  const closing = server().on("agent.ping", () => ({ version: "0", epoch: 0 }));
  await closing.listen();
  expect(await commander(1).request("agent.ping", "a1", {})).toEqual({ version: "0", epoch: 0 });
  closing.close();
  await expect(commander(1).request("agent.ping", "a1", {})).rejects.toMatchObject({
    code: "MR_UNREACHABLE_PEER",
  });
});

test("a handler set twice or after listen is a mistake that is told", async () => {
  const early = server().on("agent.ping", () => ({ version: "0", epoch: 0 }));
  expect(() => early.on("agent.ping", () => ({ version: "0", epoch: 0 }))).toThrow(/agent\.ping/);
  await early.listen();
  expect(() => early.on("agent.stop-run", () => ({ known: true }))).toThrow(/before listen/);
});
