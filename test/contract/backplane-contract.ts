import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Backplane, KeyValueChange } from "../../src/backplane/contract.ts";
import { type ErrorCode, MillraceError, ProtocolError, RemoteError } from "../../src/errors.ts";

/** A backplane server, or what stands for one, of which any number of clients can be had. */
export interface BackplaneUnderTest {
  connect(name: string, onError: (error: Error) => void): Promise<Backplane>;
  /** Ends the server and starts it anew on the same store; absent where nothing is stored. */
  restart?(): Promise<void>;
  close(): Promise<void>;
}

export interface BackplaneContractOptions {
  /** Tests that this implementation cannot pass, each with the reason. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

/** One suite for every backplane: what the rest of millrace may rely on. */
export function backplaneContract(
  implementation: string,
  start: () => Promise<BackplaneUnderTest>,
  options: BackplaneContractOptions = {},
): void {
  const skipped = new Map(options.skip?.flatMap(({ reason, tests }) => tests.map((name) => [name, reason])));
  const known = new Set<string>();
  const check = (name: string, run: () => Promise<void>): void => {
    known.add(name);
    const reason = skipped.get(name);
    if (reason === undefined) test(name, run);
    else test.skip(`${name} (${reason})`, run);
  };

  describe(`backplane contract: ${implementation}`, () => {
    let server: BackplaneUnderTest;
    let errors: Error[];
    let a: Backplane;
    let b: Backplane;
    const connect = (name: string) => server.connect(name, (error) => errors.push(error));

    beforeEach(async () => {
      errors = [];
      server = await start();
      a = await connect("a");
      b = await connect("b");
    });
    afterEach(() => server.close());

    describe("messages", () => {
      check("reach every subscriber that matches, in order, and nobody else", async () => {
        const seen: Record<string, unknown[]> = { exact: [], star: [], rest: [], other: [] };
        await a.subscribe("t.x.one", (m) => void seen.exact?.push(m));
        await b.subscribe("t.*.one", (m, subject) => void seen.star?.push([m, subject]));
        await b.subscribe("t.>", (m) => void seen.rest?.push(m));
        await b.subscribe("t.*", (m) => void seen.other?.push(m));
        for (let i = 0; i < 50; i++) a.publish("t.x.one", { i });
        a.publish("t.y.two", "last");
        await until(() => seen.rest?.length === 51 && seen.exact?.length === 50 && seen.star?.length === 50);
        expect(seen.exact).toEqual(Array.from({ length: 50 }, (_, i) => ({ i })));
        expect(seen.star?.[49]).toEqual([{ i: 49 }, "t.x.one"]);
        expect(seen.rest?.at(-1)).toBe("last");
        expect(seen.other).toEqual([]);
      });

      check("are copies: nobody sees another's changes", async () => {
        const message = { list: [1, 2] };
        const got: { list: number[] }[] = [];
        const reader = (m: unknown) => {
          got.push(m as { list: number[] });
          (m as { list: number[] }).list.push(99);
        };
        await a.subscribe("copy", reader);
        await b.subscribe("copy", (m) => void got.push(m as { list: number[] }));
        a.publish("copy", message);
        message.list.push(3);
        await until(() => got.length === 2);
        expect(got.map(({ list }) => list.slice(0, 2))).toEqual([
          [1, 2],
          [1, 2],
        ]);
        expect(got.map(({ list }) => list.length).sort()).toEqual([2, 3]);
        expect(message.list).toEqual([1, 2, 3]);
      });

      check("are delivered after publish has returned", async () => {
        const order: string[] = [];
        await a.subscribe("later", () => {
          order.push("delivered");
        });
        a.publish("later", 1);
        order.push("published");
        await until(() => order.length === 2);
        expect(order).toEqual(["published", "delivered"]);
      });

      check("go on behind a handler that throws or rejects, and the error is reported", async () => {
        const bad: unknown[] = [];
        const good: unknown[] = [];
        await a.subscribe("boom", async (m) => {
          bad.push(m);
          if (m === 1) throw new Error("sync boom");
          await Promise.reject(new Error("async boom"));
        });
        await b.subscribe("boom", (m) => void good.push(m));
        for (const m of [1, 2, 3]) b.publish("boom", m);
        await until(() => bad.length === 3 && good.length === 3 && errors.length === 3);
        expect(errors.map((error) => error.message)).toEqual(["sync boom", "async boom", "async boom"]);
      });

      check("stop when the subscription is closed", async () => {
        const closed: unknown[] = [];
        const open: unknown[] = [];
        const subscription = await a.subscribe("stop", (m) => void closed.push(m));
        await a.subscribe("stop", (m) => void open.push(m));
        b.publish("stop", 1);
        await until(() => closed.length === 1 && open.length === 1);
        subscription.close();
        subscription.close();
        b.publish("stop", 2);
        await until(() => open.length === 2);
        expect(closed).toEqual([1]);
      });

      check("above 64 KiB or not plain data are refused to their sender", async () => {
        const refused = (message: unknown): ErrorCode | undefined => {
          try {
            a.publish("limits", message);
            return undefined;
          } catch (error) {
            return (error as MillraceError).code;
          }
        };
        const got: unknown[] = [];
        await b.subscribe("limits", (m) => void got.push(m));
        const circular: { self?: unknown } = {};
        circular.self = circular;
        expect(refused("x".repeat(64 * 1024))).toBe("MR_MESSAGE_TOO_LARGE");
        expect(refused("ä".repeat(32 * 1024))).toBe("MR_MESSAGE_TOO_LARGE");
        for (const bad of [
          undefined,
          1n,
          Number.NaN,
          () => 1,
          new Date(),
          { m: new Map() },
          [undefined],
          circular,
        ]) {
          expect(refused(bad)).toBe("MR_NOT_ENCODABLE");
        }
        const fits = "x".repeat(64 * 1024 - 2);
        expect(refused(fits)).toBeUndefined();
        await until(() => got.length === 1);
        expect(got[0]).toBe(fits);
      });

      check("need a valid subject, subscriptions a valid pattern", async () => {
        for (const subject of ["", ".", "a..b", "a.", "a b", "a.*", "a.>", "ä", "a.\n"]) {
          expect(() => a.publish(subject, 1), subject).toThrow(/not a valid name/);
        }
        for (const pattern of ["", "a.>.b", "a.b*", " "]) {
          await expectCode(
            a.subscribe(pattern, () => {}),
            "MR_BAD_NAME",
          );
        }
      });
    });

    describe("requests", () => {
      check("get the responder's reply", async () => {
        await a.respond("svc.*", async (m, subject) => ({ twice: (m as number) * 2, subject }));
        expect(await b.request("svc.double", 21)).toEqual({ twice: 42, subject: "svc.double" });
        expect(await a.request("svc.own", 1)).toEqual({ twice: 2, subject: "svc.own" });
      });

      check("get null where the responder returned nothing", async () => {
        await a.respond("nothing", () => undefined);
        expect(await b.request("nothing", {})).toBeNull();
      });

      check("fail at once with MR_UNREACHABLE_PEER where nobody responds", async () => {
        const before = performance.now();
        await expectCode(b.request("nobody.home", 1, { timeoutMs: 20_000 }), "MR_UNREACHABLE_PEER");
        expect(performance.now() - before).toBeLessThan(5_000);
      });

      check("fail with MR_REQUEST_TIMEOUT where no reply comes in time", async () => {
        await a.respond("slow", () => new Promise(() => {}));
        await expectCode(b.request("slow", 1, { timeoutMs: 30 }), "MR_REQUEST_TIMEOUT");
      });

      check("get the responder's error with its code, scope and details", async () => {
        await a.respond("typed", () => {
          throw new ProtocolError("MR_STALE_EPOCH", "epoch 3: older than 4; stop", {
            scope: "run",
            retryable: true,
            details: { seen: 4, secret: () => 1 },
          });
        });
        const error = await failure(b.request("typed", 1));
        expect(error).toBeInstanceOf(RemoteError);
        expect(error).toMatchObject({ code: "MR_STALE_EPOCH", message: "epoch 3: older than 4; stop" });
        expect(error).toMatchObject({ scope: "run", retryable: true });
        expect(errors).toEqual([]);
      });

      check("get a responder's untyped error as MR_INTERNAL; it is reported there as well", async () => {
        await a.respond("untyped", async () => {
          throw new TypeError("x is not a function");
        });
        const error = await failure(b.request("untyped", 1));
        expect(error).toMatchObject({ code: "MR_INTERNAL" });
        expect(error.message).toContain("TypeError: x is not a function");
        expect(errors.map((reported) => reported.message)).toEqual(["x is not a function"]);
      });

      check("get the refusal of a reply that is too large", async () => {
        await a.respond("fat", () => "x".repeat(70_000));
        await expectCode(b.request("fat", 1), "MR_MESSAGE_TOO_LARGE");
      });

      check("overlap: a slow one does not hold up the next", async () => {
        let release = (_: unknown): void => {};
        const gate = new Promise((resolve) => {
          release = resolve;
        });
        await a.respond("overlap", (m) => (m === "slow" ? gate : "quick"));
        const slow = b.request("overlap", "slow");
        expect(await b.request("overlap", "fast")).toBe("quick");
        release("done");
        expect(await slow).toBe("done");
      });

      check("are answered by one responder of a queue, and each gets some", async () => {
        const answered = { a: 0, b: 0 };
        await a.respond("q", () => void answered.a++, { queue: "workers" });
        await b.respond("q", () => void answered.b++, { queue: "workers" });
        const client = await connect("c");
        for (let i = 0; i < 40; i++) await client.request("q", i);
        expect(answered.a + answered.b).toBe(40);
        expect(answered.a).toBeGreaterThan(0);
        expect(answered.b).toBeGreaterThan(0);
      });

      check("to many collect every reply and every error", async () => {
        await a.respond("all", () => "a");
        await b.respond("all", () => "b");
        const failing = await connect("c");
        await failing.respond("all", () => {
          throw new MillraceError("MR_DISK_LOW", "disk: low; make room");
        });
        const replies = await b.requestMany("all", 1, { timeoutMs: 500 });
        expect(replies.flatMap((reply) => (reply.ok ? [reply.message] : [])).sort()).toEqual(["a", "b"]);
        expect(replies.flatMap((reply) => (reply.ok ? [] : [reply.error]))).toMatchObject([
          { code: "MR_DISK_LOW" },
        ]);
      });

      check(
        "to many resolve to what came in time, to none where nobody is, and to `max` at most",
        async () => {
          expect(await b.requestMany("none", 1, { timeoutMs: 50 })).toEqual([]);
          await a.respond("some", () => "quick");
          await b.respond("some", () => new Promise(() => {}));
          expect(await b.requestMany("some", 1, { timeoutMs: 100 })).toEqual([
            { ok: true, message: "quick" },
          ]);
          expect(await b.requestMany("some", 1, { timeoutMs: 20_000, max: 1 })).toHaveLength(1);
        },
      );

      check("are not answered by responders to publications", async () => {
        const got: unknown[] = [];
        await a.respond("rr", (m) => void got.push(m));
        b.publish("rr", "published");
        await b.request("rr", "requested");
        expect(got).toEqual(["requested"]);
      });
    });

    describe("closing a client", () => {
      check("ends its subscriptions and responders and leaves others alone", async () => {
        const gone: unknown[] = [];
        const kept: unknown[] = [];
        await a.subscribe("close", (m) => void gone.push(m));
        await b.subscribe("close", (m) => void kept.push(m));
        await a.respond("close.svc", () => "a");
        await a.close();
        b.publish("close", 1);
        await until(() => kept.length === 1);
        expect(gone).toEqual([]);
        await expectCode(b.request("close.svc", 1), "MR_UNREACHABLE_PEER");
      });

      check("fails its open requests and all later calls with MR_BACKPLANE_CLOSED", async () => {
        await b.respond("hang", () => new Promise(() => {}));
        const open = failure(a.request("hang", 1, { timeoutMs: 20_000 }));
        const [kv, objects] = [a.kv("later"), a.objects("later")];
        await a.close();
        await a.close();
        expect(await open).toMatchObject({ code: "MR_BACKPLANE_CLOSED" });
        expect(() => a.publish("x", 1)).toThrow(/closed/);
        for (const call of [
          a.subscribe("x", () => {}),
          a.respond("x", () => {}),
          a.request("x", 1),
          kv.get("k"),
          kv.put("k", 1),
          kv.watch(() => {}),
          objects.list(),
        ]) {
          await expectCode(call, "MR_BACKPLANE_CLOSED");
        }
      });

      check("ends its watches", async () => {
        const seen: string[] = [];
        const kept: string[] = [];
        await a.kv("w").watch(({ key }) => void seen.push(key));
        await b.kv("w").watch(({ key }) => void kept.push(key));
        await a.close();
        await b.kv("w").put("k", 1);
        await until(() => kept.length === 1);
        expect(seen).toEqual([]);
      });
    });

    describe("key-value buckets", () => {
      check("give back what was put, by copy, to every client", async () => {
        const value = { list: [1], nested: { deep: null } };
        const revision = await a.kv("kv").put("key.one", value);
        value.list.push(2);
        const entry = await b.kv("kv").get("key.one");
        expect(entry).toEqual({ key: "key.one", value: { list: [1], nested: { deep: null } }, revision });
        expect(await b.kv("kv").get("key.two")).toBeUndefined();
        expect(await b.kv("other").get("key.one")).toBeUndefined();
      });

      check("count revisions strictly upwards over writes, deletions and re-creations", async () => {
        const kv = a.kv("kv");
        const first = await kv.put("x", 1);
        const second = await b.kv("kv").put("y", 1);
        await kv.delete("x");
        expect(await kv.get("x")).toBeUndefined();
        const third = await kv.create("x", 2);
        expect(second).toBeGreaterThan(first);
        expect(third).toBeGreaterThan(second + 1);
        await kv.delete("never-there");
        expect(await kv.keys()).toEqual(["x", "y"]);
      });

      check("refuse to create what exists and to update or delete another revision", async () => {
        const kv = a.kv("kv");
        const revision = await kv.create("x", "first");
        await expectCode(kv.create("x", "again"), "MR_REVISION_CONFLICT");
        const next = await kv.update("x", "second", revision);
        await expectCode(kv.update("x", "third", revision), "MR_REVISION_CONFLICT");
        await expectCode(kv.delete("x", revision), "MR_REVISION_CONFLICT");
        await expectCode(kv.update("absent", 1, next), "MR_REVISION_CONFLICT");
        expect((await kv.get("x"))?.value).toBe("second");
        await kv.delete("x", next);
        expect(await kv.get("x")).toBeUndefined();
      });

      check("let one of many concurrent compare-and-sets through", async () => {
        const increment = async (client: Backplane): Promise<void> => {
          for (;;) {
            const entry = await client.kv("count").get("n");
            const next = ((entry?.value as number | undefined) ?? 0) + 1;
            try {
              if (entry === undefined) await client.kv("count").create("n", next);
              else await client.kv("count").update("n", next, entry.revision);
              return;
            } catch (error) {
              if ((error as MillraceError).code !== "MR_REVISION_CONFLICT") throw error;
            }
          }
        };
        await Promise.all(Array.from({ length: 20 }, (_, i) => increment(i % 2 ? a : b)));
        expect((await a.kv("count").get("n"))?.value).toBe(20);
      });

      check("list keys by prefix, sorted", async () => {
        for (const key of ["b.2", "a.1", "b.1", "bb"]) await a.kv("kv").put(key, key);
        expect(await b.kv("kv").keys()).toEqual(["a.1", "b.1", "b.2", "bb"]);
        expect(await b.kv("kv").keys("b.")).toEqual(["b.1", "b.2"]);
      });

      check("hand a watcher what there is, then every change, in order", async () => {
        const kv = a.kv("kv");
        const first = await kv.put("s.one", 1);
        await kv.put("other", 1);
        const seen: KeyValueChange[] = [];
        const watch = await b.kv("kv").watch((change) => void seen.push(change), "s.");
        expect(seen).toEqual([{ kind: "put", key: "s.one", value: 1, revision: first }]);
        const second = await kv.put("s.two", 2);
        await kv.put("other", 2);
        const third = await kv.put("s.one", 3);
        await kv.delete("s.two");
        await until(() => seen.length === 4);
        expect(seen.slice(1, 3)).toEqual([
          { kind: "put", key: "s.two", value: 2, revision: second },
          { kind: "put", key: "s.one", value: 3, revision: third },
        ]);
        expect(seen[3]).toMatchObject({ kind: "delete", key: "s.two" });
        expect(seen[3]?.revision).toBeGreaterThan(third);
        watch.close();
        const marker = await b.kv("kv").watch((change) => void (change.key === "s.end" && seen.push(change)));
        await kv.put("s.end", 1);
        await until(() => seen.length === 5);
        marker.close();
      });

      check("miss no change that is made while a watch begins", async () => {
        const kv = a.kv("busy");
        const last = new Map<string, unknown>();
        const writes: Promise<unknown>[] = [];
        for (let i = 0; i < 20; i++) writes.push(kv.put(`k${i % 5}`, i));
        const watching = b.kv("busy").watch((change) => {
          if (change.kind === "put") last.set(change.key, change.value);
        });
        for (let i = 20; i < 40; i++) writes.push(kv.put(`k${i % 5}`, i));
        await Promise.all([watching, ...writes]);
        await until(() => last.size === 5 && [...last.values()].every((value) => (value as number) >= 35));
      });

      check("take any JSON value up to 512 KiB and refuse others", async () => {
        const kv = a.kv("kv");
        for (const value of [null, 0, "", false, [], {}, "ü\u2028", "x".repeat(500_000)]) {
          await kv.put("v", value);
          expect((await kv.get("v"))?.value).toEqual(value);
        }
        await expectCode(kv.put("v", "x".repeat(512 * 1024)), "MR_MESSAGE_TOO_LARGE");
        await expectCode(kv.put("v", undefined), "MR_NOT_ENCODABLE");
        for (const key of ["", "a b", ".a", "a.", "a*", "ä", "../x\0"])
          await expectCode(kv.put(key, 1), "MR_BAD_NAME");
        for (const bucket of ["", "a.b", "../a", "_x"])
          expect(() => a.kv(bucket)).toThrow(/not a valid name/);
      });
    });

    describe("object buckets", () => {
      check("give back the bytes, list names and forget what is deleted", async () => {
        const bytes = Buffer.from([0, 1, 2, 255]);
        await a.objects("bundles").put("Hash-1", bytes);
        bytes[0] = 9;
        await a.objects("bundles").put("hash-1", Buffer.alloc(300_000, 7));
        await a.objects("bundles").put("empty.js", new Uint8Array(0));
        expect(await b.objects("bundles").get("Hash-1")).toEqual(Buffer.from([0, 1, 2, 255]));
        expect((await b.objects("bundles").get("hash-1"))?.equals(Buffer.alloc(300_000, 7))).toBe(true);
        expect(await b.objects("bundles").get("empty.js")).toEqual(Buffer.alloc(0));
        expect(await b.objects("bundles").list()).toEqual(["Hash-1", "empty.js", "hash-1"]);
        await b.objects("bundles").put("Hash-1", Buffer.from("new"));
        expect((await a.objects("bundles").get("Hash-1"))?.toString()).toBe("new");
        await a.objects("bundles").delete("Hash-1");
        await a.objects("bundles").delete("never-there");
        expect(await b.objects("bundles").get("Hash-1")).toBeUndefined();
        expect(await b.objects("bundles").list()).toEqual(["empty.js", "hash-1"]);
        expect(await b.objects("none").list()).toEqual([]);
      });

      check("refuse names that would lead out of the bucket", async () => {
        for (const name of ["", ".", "..", "../x", "a/b", "a\\b", "\0"]) {
          await expectCode(a.objects("o").put(name, Buffer.from("x")), "MR_BAD_NAME");
          await expectCode(a.objects("o").get(name), "MR_BAD_NAME");
        }
      });
    });

    describe("leases", () => {
      check(
        "have one holder; renewing keeps it, releasing frees it, every acquisition has a greater epoch",
        async () => {
          const mine = a.lease("coordinator", { ttlMs: 2_000, holder: "a/1" });
          const yours = b.lease("coordinator", { ttlMs: 2_000, holder: "b/1" });
          expect(await mine.holder()).toBeUndefined();
          const first = (await mine.acquire()) as number;
          expect(mine.epoch).toBe(first);
          expect(await yours.acquire()).toBeUndefined();
          expect(yours.epoch).toBeUndefined();
          expect(await yours.renew()).toBe(false);
          expect(await yours.holder()).toBe("a/1");
          expect(await mine.renew()).toBe(true);
          expect(await mine.acquire()).toBe(first);
          await yours.release();
          expect(await mine.renew()).toBe(true);
          await mine.release();
          expect(mine.epoch).toBeUndefined();
          const second = (await yours.acquire()) as number;
          expect(second).toBeGreaterThan(first);
          expect(await mine.renew()).toBe(false);
          expect(await b.lease("other", { ttlMs: 2_000, holder: "b/1" }).acquire()).toBeTypeOf("number");
        },
      );

      check("run out by themselves, and the old holder stops trusting them before that", async () => {
        const mine = a.lease("short", { ttlMs: 300, holder: "a/1" });
        const yours = b.lease("short", { ttlMs: 300, holder: "b/1" });
        const first = (await mine.acquire()) as number;
        let second: number | undefined;
        await until(async () => {
          const trusted = mine.epoch !== undefined;
          second = await yours.acquire();
          if (second !== undefined) expect(trusted).toBe(false);
          return second !== undefined;
        });
        expect(second).toBeGreaterThan(first);
        expect(await mine.renew()).toBe(false);
        expect(mine.epoch).toBeUndefined();
        expect(await mine.acquire()).toBeUndefined();
      });

      check("go to one of many who ask at once", async () => {
        const contenders = Array.from({ length: 10 }, (_, i) =>
          (i % 2 ? a : b).lease("race", { ttlMs: 5_000, holder: `h/${i}` }),
        );
        const epochs = await Promise.all(contenders.map((lease) => lease.acquire()));
        expect(epochs.filter((epoch) => epoch !== undefined)).toHaveLength(1);
      });
    });

    describe("a restart", () => {
      check("keeps entries, revisions, objects and the growth of epochs", async () => {
        const revision = await a.kv("kv").put("kept", { v: 1 });
        await a.kv("kv").put("gone", 1);
        await a.kv("kv").delete("gone");
        const last = await a.kv("kv").put("x", 1);
        await a.objects("o").put("Name.js", Buffer.from("bytes"));
        const epoch = (await a.lease("l", { ttlMs: 100, holder: "a/1" }).acquire()) as number;
        await server.restart?.();
        const c = await connect("c");
        expect(await c.kv("kv").get("kept")).toEqual({ key: "kept", value: { v: 1 }, revision });
        expect(await c.kv("kv").keys()).toEqual(["kept", "x"]);
        expect(await c.kv("kv").put("x", 2)).toBeGreaterThan(last);
        expect((await c.objects("o").get("Name.js"))?.toString()).toBe("bytes");
        const lease = c.lease("l", { ttlMs: 100, holder: "c/1" });
        let next: number | undefined;
        await until(async () => {
          next = await lease.acquire();
          return next !== undefined;
        });
        expect(next).toBeGreaterThan(epoch);
      });
    });

    test("every skip names a test of this suite", () => {
      expect([...skipped.keys()].filter((name) => !known.has(name))).toEqual([]);
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("resolved, though it should have been rejected");
}

async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await failure(promise);
  expect(error).toBeInstanceOf(MillraceError);
  expect((error as MillraceError).code).toBe(code);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("the condition did not come true within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
