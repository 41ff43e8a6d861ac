import { expect, test } from "vitest";
import { streamsOf } from "../../src/run/streams-url.ts";

test.each([
  ["file:", { kind: "file" }],
  ["memory:", { kind: "memory" }],
  ["amqp://guest:secret@127.0.0.1", { kind: "amqp", address: "amqp://127.0.0.1:5672" }],
  ["amqps://u:p%40q@mq/orders?queueType=quorum", { kind: "amqp", address: "amqps://mq:5671/orders" }],
  ["nats://token@host:4333", { kind: "nats", address: "nats://host:4333" }],
  ["redis://:secret@[::1]:6380/2", { kind: "redis", address: "redis://[::1]:6380/2" }],
  ["REDISS://cache", { kind: "redis", address: "rediss://cache:6379" }],
])("%s is understood, and what is shown of it holds no secret", (url, expected) => {
  expect(streamsOf(url)).toMatchObject(expected);
});

test("what is no text is refused in plain words as well", () => {
  expect(() => streamsOf(5)).toThrow(/^streams 5.*: there are file:/);
});

test.each([
  ["kafka://broker", "streams kafka:…: there are file:, memory:, amqp://"],
  ["file:/var/lib/streams", "file:…: it takes no path and no options; the folder is that of --data"],
  ["memory:?size=5", "memory:…: it takes no path"],
  ["nats://u:secret@host?replicas=3&replicas=1", "nats://host: the option replicas is given twice"],
  ["rabbit", 'streams "rabbit": there are file:'],
  ["//me:secret@host", "streams …: there are"],
  ["", 'streams "": there are'],
  ["amqp:host", "it is no URL; write amqp://USER:PASSWORD@HOST:PORT"],
  ["amqp://user:se#cret@host", "it is no URL"],
  ["redis://host:99999", "it is no URL"],
  ["nats://", "it names no host"],
  ["redis://host/0#1", "what follows # belongs to no URL of an engine"],
])("%s is refused in plain words, without a password", (url, message) => {
  expect(() => streamsOf(url)).toThrow(message);
  expect(() => streamsOf(url)).not.toThrow("cret");
});
