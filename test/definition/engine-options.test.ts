import { expect, test } from "vitest";
import { optionsFor } from "../../src/definition/engine-options.ts";
import { readNodeOptions } from "../../src/definition/node-options.ts";

const subject = "stage parse of pipeline orders";
const engineOf = (engine: unknown): unknown => readNodeOptions("stage", { engine }, subject).settings.engine;

test("a stage says how its streams lie in an engine, sizes as people write them", () => {
  expect(engineOf({ queueType: "quorum", arguments: { "x-max-length": 10 }, maxBytes: "2GB" })).toEqual({
    queueType: "quorum",
    arguments: { "x-max-length": 10 },
    maxBytes: 2 * 1024 ** 3,
  });
  expect(readNodeOptions("stage", {}, subject).settings).not.toHaveProperty("engine");
});

test.each([
  [{ queueType: "stream" }, 'engine.queueType must be "classic" or "quorum", got "stream"'],
  [{ arguments: { a: {} } }, "engine.arguments must be an object of texts, numbers and booleans"],
  [{ replicas: 6 }, "engine.replicas must be a whole number from 1 to 5, got 6"],
  [{ exchange: "" }, "engine.exchange must be a text that is not empty"],
  [{ ttl: 5 }, "there is no option engine.ttl; the options here are queueType"],
  ["quorum", "engine must be an object of queueType"],
])("%j is refused", (engine, message) => {
  expect(() => engineOf(engine)).toThrow(message);
});

test("an engine is told what it knows, so that the same pipeline runs on each", () => {
  const options = { queueType: "quorum", replicas: 3 } as const;

  expect(optionsFor("amqp", options)).toEqual({ queueType: "quorum" });
  expect(optionsFor("nats", options)).toEqual({ replicas: 3 });
  expect(optionsFor("redis", options)).toEqual({});
});
