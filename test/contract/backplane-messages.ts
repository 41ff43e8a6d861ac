import { describe, expect } from "vitest";
import { type ErrorCode, MillraceError, ProtocolError, RemoteError } from "../../src/errors.ts";
import { type Check, expectCode, failure, until } from "./backplane-bench.ts";

/** Publications, requests, and what closing a client means for them. */
export function backplaneMessages(check: Check): void {
  describe("messages", () => {
    check("reach every subscriber that matches, in order, and nobody else", async ({ a, b }) => {
      const seen: Record<string, unknown[]> = { exact: [], star: [], rest: [], other: [] };
      await a.subscribe("t.x.one", (m) => void seen.exact?.push(m));
      await b.subscribe("t.*.one", (m, subject) => void seen.star?.push([m, subject]));
      await b.subscribe("t.>", (m) => void seen.rest?.push(m));
      await b.subscribe("t.*", (m) => void seen.other?.push(m));
      await b.subscribe("t.x.one.>", (m) => void seen.other?.push(m));
      for (let i = 0; i < 50; i++) a.publish("t.x.one", { i });
      a.publish("t.y.two", "last");
      await until(() => seen.rest?.length === 51 && seen.exact?.length === 50 && seen.star?.length === 50);
      expect(seen.exact).toEqual(Array.from({ length: 50 }, (_, i) => ({ i })));
      expect(seen.star?.[49]).toEqual([{ i: 49 }, "t.x.one"]);
      expect(seen.rest?.at(-1)).toBe("last");
      expect(seen.other).toEqual([]);
    });

    check("are copies: nobody sees another's changes", async ({ a, b }) => {
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

    check("are delivered after publish has returned", async ({ a }) => {
      const order: string[] = [];
      await a.subscribe("later", () => {
        order.push("delivered");
      });
      a.publish("later", 1);
      order.push("published");
      await until(() => order.length === 2);
      expect(order).toEqual(["published", "delivered"]);
    });

    check(
      "go on behind a handler that throws or rejects, and the error is reported",
      async ({ a, b, errors }) => {
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
      },
    );

    check("stop when the subscription is closed", async ({ a, b }) => {
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

    check("above 64 KiB or not plain data are refused to their sender", async ({ a, b }) => {
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

    check("need a valid subject, subscriptions a valid pattern", async ({ a }) => {
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
    check("get the responder's reply", async ({ a, b }) => {
      await a.respond("svc.*", async (m, subject) => ({ twice: (m as number) * 2, subject }));
      expect(await b.request("svc.double", 21)).toEqual({ twice: 42, subject: "svc.double" });
      expect(await a.request("svc.own", 1)).toEqual({ twice: 2, subject: "svc.own" });
    });

    check("get null where the responder returned nothing", async ({ a, b }) => {
      await a.respond("nothing", () => undefined);
      expect(await b.request("nothing", {})).toBeNull();
    });

    check("fail at once with MR_UNREACHABLE_PEER where nobody responds", async ({ b }) => {
      const before = performance.now();
      await expectCode(b.request("nobody.home", 1, { timeoutMs: 20_000 }), "MR_UNREACHABLE_PEER");
      expect(performance.now() - before).toBeLessThan(5_000);
    });

    check("fail with MR_REQUEST_TIMEOUT where no reply comes in time", async ({ a, b }) => {
      await a.respond("slow", () => new Promise(() => {}));
      await expectCode(b.request("slow", 1, { timeoutMs: 30 }), "MR_REQUEST_TIMEOUT");
    });

    check("get the responder's error with its code, scope and details", async ({ a, b, errors }) => {
      await a.respond("typed", () => {
        throw new ProtocolError("MR_STALE_EPOCH", "epoch 3: older than 4; stop", {
          scope: "run",
          retryable: true,
          details: { seen: 4 },
        });
      });
      const error = await failure(b.request("typed", 1));
      expect(error).toBeInstanceOf(RemoteError);
      expect(error).toMatchObject({ code: "MR_STALE_EPOCH", message: "epoch 3: older than 4; stop" });
      expect(error).toMatchObject({ scope: "run", retryable: true, details: { seen: 4 } });
      expect(errors).toEqual([]);
    });

    check(
      "get an error without its details where those are not plain data or too large",
      async ({ a, b }) => {
        await a.respond("details", (m) => {
          const details = m === "large" ? { text: "x".repeat(70_000) } : { secret: () => 1 };
          throw new MillraceError("MR_USAGE", "no", { details });
        });
        for (const m of ["large", "function"]) {
          expect(await failure(b.request("details", m))).toMatchObject({ code: "MR_USAGE", details: {} });
          expect(Object.keys(((await failure(b.request("details", m))) as MillraceError).details)).toEqual(
            [],
          );
        }
      },
    );

    check("are seen by subscribers too, as messages", async ({ a, b }) => {
      const seen: unknown[] = [];
      await a.subscribe("tap.>", (m, subject) => void seen.push([m, subject]));
      await a.respond("tap.svc", () => "answer");
      expect(await b.request("tap.svc", 1)).toBe("answer");
      await until(() => seen.length === 1);
      expect(seen).toEqual([[1, "tap.svc"]]);
    });

    check(
      "get a responder's untyped error as MR_INTERNAL; it is reported there as well",
      async ({ a, b, errors }) => {
        await a.respond("untyped", async () => {
          throw new TypeError("x is not a function");
        });
        const error = await failure(b.request("untyped", 1));
        expect(error).toMatchObject({ code: "MR_INTERNAL" });
        expect(error.message).toContain("TypeError: x is not a function");
        expect(errors.map((reported) => reported.message)).toEqual(["x is not a function"]);
      },
    );

    check("get the refusal of a reply that is too large", async ({ a, b }) => {
      await a.respond("fat", () => "x".repeat(70_000));
      await expectCode(b.request("fat", 1), "MR_MESSAGE_TOO_LARGE");
    });

    check("overlap: a slow one does not hold up the next", async ({ a, b }) => {
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

    check("are answered by one responder of a queue, and each gets some", async ({ a, b, connect }) => {
      const answered = { a: 0, b: 0 };
      await a.respond("q", () => void answered.a++, { queue: "workers" });
      await b.respond("q", () => void answered.b++, { queue: "workers" });
      const client = await connect("c");
      for (let i = 0; i < 40; i++) await client.request("q", i);
      expect(answered.a + answered.b).toBe(40);
      expect(answered.a).toBeGreaterThan(0);
      expect(answered.b).toBeGreaterThan(0);
    });

    check("to many collect every reply and every error", async ({ a, b, connect }) => {
      await a.respond("all", () => "a");
      await b.respond("all", () => "b");
      const failing = await connect("c");
      await failing.respond("all", () => {
        throw new MillraceError("MR_DISK_FULL", "disk: full; make room");
      });
      const replies = await b.requestMany("all", 1, { timeoutMs: 500 });
      expect(replies.flatMap((reply) => (reply.ok ? [reply.message] : [])).sort()).toEqual(["a", "b"]);
      expect(replies.flatMap((reply) => (reply.ok ? [] : [reply.error]))).toMatchObject([
        { code: "MR_DISK_FULL" },
      ]);
    });

    check(
      "to many resolve to what came in time, to none where nobody is, and to `max` at most",
      async ({ a, b }) => {
        expect(await b.requestMany("none", 1, { timeoutMs: 50 })).toEqual([]);
        await a.respond("some", () => "quick");
        await b.respond("some", () => new Promise(() => {}));
        expect(await b.requestMany("some", 1, { timeoutMs: 100 })).toEqual([{ ok: true, message: "quick" }]);
        expect(await b.requestMany("some", 1, { timeoutMs: 20_000, max: 1 })).toHaveLength(1);
      },
    );

    check("are not answered by responders to publications", async ({ a, b }) => {
      const got: unknown[] = [];
      await a.respond("rr", (m) => void got.push(m));
      b.publish("rr", "published");
      await b.request("rr", "requested");
      expect(got).toEqual(["requested"]);
    });
  });

  describe("closing a client", () => {
    check("ends its subscriptions and responders and leaves others alone", async ({ a, b }) => {
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

    check("fails its open requests and all later calls with MR_BACKPLANE_CLOSED", async ({ a, b }) => {
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

    check("ends its watches", async ({ a, b }) => {
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
}
