import { httpPush, pipeline, start } from "millrace";
import { expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function post(
  url: string,
  body: string,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<Answer> {
  const response = await fetch(url, { method, headers, ...(method === "GET" ? {} : { body }) });
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? undefined : JSON.parse(text),
    headers: response.headers,
  };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("a value, an array and lines are taken, whole or not at all; what is wrong is named", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/orders`;
  const p = pipeline("door");
  const seen: unknown[] = [];
  p.source("in", httpPush<unknown>({ port, path: "/orders", token: "s3cret", maxBody: 2_000_000 })).to(
    p.sink("out", (item: unknown, ctx) => void seen.push([item, ctx.item.key])),
  );
  const handle = await start(p);
  const auth = { authorization: "Bearer s3cret" };
  await until(async () => (await post(url, "1", auth).catch(() => ({ status: 0 }))).status === 202);

  const json = { ...auth, "content-type": "application/json" };
  const lines = { ...auth, "content-type": "application/x-ndjson; charset=utf-8" };
  expect(await post(url, '{"id":1}', json)).toMatchObject({ status: 202, body: { accepted: 1 } });
  expect(await post(`${url}?key=a`, "[1,[2],null]", json)).toMatchObject({
    status: 202,
    body: { accepted: 3 },
  });
  expect(await post(url, '{"a":1}\r\n\n{"a":2}', lines)).toMatchObject({
    status: 202,
    body: { accepted: 2 },
  });

  expect(await post(url, '{"a":1}\n{"a":\n', lines)).toMatchObject({
    status: 400,
    body: { error: { line: 2 } },
  });
  expect(await post(url, "{", json)).toMatchObject({ status: 400 });
  expect(await post(`${url}?kye=a`, "1", json)).toMatchObject({
    status: 400,
    body: { error: { code: "MR_BAD_OPTION" } },
  });
  const tooLarge = JSON.stringify(["small", "x".repeat(1_000_000)]);
  expect(await post(url, tooLarge, json)).toMatchObject({
    status: 413,
    body: { error: { code: "MR_ITEM_TOO_LARGE", index: 1 } },
  });
  expect(await post(url, `"${"x".repeat(2_100_000)}"`, json)).toMatchObject({ status: 413 });
  expect(await post(url, "1")).toMatchObject({ status: 401 });
  expect(await post(url, "1", { authorization: "Bearer other" })).toMatchObject({ status: 401 });
  expect(await post(`${url}/x`, "1", json)).toMatchObject({ status: 404 });
  const get = await post(url, "", json, "GET");
  expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);

  await handle.push("in", "by hand");
  await handle.close("in");
  expect((await handle.done).status).toBe("completed");
  expect(seen.slice(1)).toEqual([
    [{ id: 1 }, undefined],
    [1, "a"],
    [[2], "a"],
    [null, "a"],
    [{ a: 1 }, undefined],
    [{ a: 2 }, undefined],
    ["by hand", undefined],
  ]);
  await expect(post(url, "1", json)).rejects.toThrow();
});

test("a full source answers 429 until there is room; a push waits; nothing that was answered 202 is lost", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const p = pipeline("narrow");
  const seen = new Set<unknown>();
  p.source("in", httpPush<number>({ port }), { capacity: { items: 20 } }).to(
    p.sink("out", (item: number) => void seen.add(item), { capacity: { items: 10 } }),
  );
  const handle = await start(p);
  await handle.pause("out");
  await until(async () => (await post(url, "-1").catch(() => ({ status: 0 }))).status === 202);
  const accepted: number[] = [-1];
  let refused: Answer | undefined;
  for (let n = 0; refused === undefined; n++) {
    const answer = await post(url, String(n));
    if (answer.status === 202) accepted.push(n);
    else refused = answer;
  }
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(accepted.length).toBeGreaterThan(20);
  expect(accepted.length).toBeLessThan(200);
  let isStored = false;
  const pushed = handle.push("in", 1_000_000).then(() => {
    isStored = true;
  });
  await handle.status();
  const wasStored = isStored;
  await handle.resume("out");
  await pushed;
  await until(async () => (await post(url, "1000001")).status === 202);
  await handle.close("in");
  await handle.done;
  expect(wasStored).toBe(false);
  expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual([...accepted, 1_000_000, 1_000_001]);
});

test("bad options are refused when the pipeline is written; a port in use fails the setup, in plain words", async () => {
  for (const options of [
    {},
    { port: 70_000 },
    { port: 80, path: "orders" },
    { port: 1, maxBody: "1GB" },
    { port: 1, hots: "x" },
  ])
    expect(() => httpPush(options as never)).toThrowError(expect.objectContaining({ code: "MR_BAD_OPTION" }));
  const port = await freePort();
  const listening = (name: string) => {
    const p = pipeline(name);
    p.source("in", httpPush({ port })).to(p.sink("out", () => undefined));
    return p;
  };
  const first = await start(listening("one"));
  await until(
    async () => (await post(`http://127.0.0.1:${port}/`, "1").catch(() => ({ status: 0 }))).status === 202,
  );
  const failed = await (await start(listening("two"))).done;
  await first.stop();
  await first.done;
  expect(failed).toMatchObject({ status: "failed", error: { code: "MR_SETUP_FAILED" } });
  expect(failed.error?.message).toContain(`port ${port} of 127.0.0.1 (EADDRINUSE): it is in use`);
});
