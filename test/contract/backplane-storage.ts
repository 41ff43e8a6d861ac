import { describe, expect } from "vitest";
import type { Backplane, KeyValueChange } from "../../src/backplane/contract.ts";
import type { MillraceError } from "../../src/errors.ts";
import { type Check, expectCode, until } from "./backplane-bench.ts";

/** Key-value buckets, objects, leases, and what a restart keeps of them. */
export function backplaneStorage(check: Check): void {
  describe("key-value buckets", () => {
    check("give back what was put, by copy, to every client", async ({ a, b }) => {
      const value = { list: [1], nested: { deep: null } };
      const revision = await a.kv("kv").put("key.one", value);
      value.list.push(2);
      const entry = await b.kv("kv").get("key.one");
      expect(entry).toEqual({ key: "key.one", value: { list: [1], nested: { deep: null } }, revision });
      expect(await b.kv("kv").get("key.two")).toBeUndefined();
      expect(await b.kv("other").get("key.one")).toBeUndefined();
    });

    check("count revisions strictly upwards over writes, deletions and re-creations", async ({ a, b }) => {
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

    check("refuse to create what exists and to update or delete another revision", async ({ a }) => {
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

    check("let one of many concurrent compare-and-sets through", async ({ a, b }) => {
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

    check("list keys by prefix, sorted", async ({ a, b }) => {
      for (const key of ["b.2", "a.1", "b.1", "bb"]) await a.kv("kv").put(key, key);
      expect(await b.kv("kv").keys()).toEqual(["a.1", "b.1", "b.2", "bb"]);
      expect(await b.kv("kv").keys("b.")).toEqual(["b.1", "b.2"]);
    });

    check("hand a watcher what there is, then every change, in order", async ({ a, b }) => {
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

    check("miss no change that is made while a watch begins", async ({ a, b }) => {
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

    check("take any JSON value up to 512 KiB and refuse others", async ({ a }) => {
      const kv = a.kv("kv");
      for (const value of [null, 0, "", false, [], {}, "ü\u2028", "x".repeat(500_000)]) {
        await kv.put("v", value);
        expect((await kv.get("v"))?.value).toEqual(value);
      }
      await expectCode(kv.put("v", "x".repeat(512 * 1024)), "MR_MESSAGE_TOO_LARGE");
      await expectCode(kv.put("v", undefined), "MR_NOT_ENCODABLE");
      for (const key of ["", "a b", ".a", "a.", "a*", "ä", "../x\0"])
        await expectCode(kv.put(key, 1), "MR_BAD_NAME");
      for (const bucket of ["", "a.b", "../a", "_x"]) expect(() => a.kv(bucket)).toThrow(/not a valid name/);
    });
  });

  describe("object buckets", () => {
    check("give back the bytes, list names and forget what is deleted", async ({ a, b }) => {
      const bytes = Buffer.from([0, 1, 2, 255]);
      const putting = a.objects("bundles").put("Hash-1", bytes);
      bytes[0] = 9;
      await putting;
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

    check("refuse names that would lead out of the bucket", async ({ a }) => {
      for (const name of ["", ".", "..", "../x", "a/b", "a\\b", "\0"]) {
        await expectCode(a.objects("o").put(name, Buffer.from("x")), "MR_BAD_NAME");
        await expectCode(a.objects("o").get(name), "MR_BAD_NAME");
      }
    });
  });

  describe("leases", () => {
    check(
      "have one holder; renewing keeps it, releasing frees it, every acquisition has a greater epoch",
      async ({ a, b }) => {
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

    check("run out by themselves, and the old holder stops trusting them before that", async ({ a, b }) => {
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

    check("go to one of many who ask at once", async ({ a, b }) => {
      const contenders = Array.from({ length: 10 }, (_, i) =>
        (i % 2 ? a : b).lease("race", { ttlMs: 5_000, holder: `h/${i}` }),
      );
      const epochs = await Promise.all(contenders.map((lease) => lease.acquire()));
      expect(epochs.filter((epoch) => epoch !== undefined)).toHaveLength(1);
    });
  });

  describe("a restart", () => {
    check("keeps entries, revisions, objects and the growth of epochs", async ({ a, connect, server }) => {
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
}
