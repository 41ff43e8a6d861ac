import { describe, expect, test } from "vitest";
import { natsSettings } from "../../../src/streams/brokers/nats-settings.ts";

describe("the URL and options of a NATS engine", () => {
  test.each([
    ["nats://broker", { servers: ["broker:4222"], login: undefined, tls: undefined }],
    [
      "nats://ann:p%40ss%2F1@10.0.0.1:4223",
      { servers: ["10.0.0.1:4223"], login: { user: "ann", pass: "p@ss/1" } },
    ],
    ["nats://s3cret@[::1]", { servers: ["[::1]:4222"], login: { token: "s3cret" } }],
    ["nats://a?servers=b:4223,c&tls=true", { servers: ["a:4222", "b:4223", "c:4222"], tls: {} }],
    [
      "nats://a?replicas=3&maxBytes=2GB&storage=memory",
      { queues: { replicas: 3, maxBytes: 2 * 1024 ** 3, storage: "memory" } },
    ],
  ])("%s is read", (url, expected) => {
    expect(natsSettings(url, {})).toMatchObject(expected);
  });

  test("a password and a token are in no address for people", () => {
    expect(natsSettings("nats://ann:hidden@a?servers=b", {}).address).toBe("nats://ann@a:4222,b:4222");
    expect(natsSettings("nats://hidden@a", {}).address).toBe("nats://a:4222");
  });

  test.each([
    ["nats://", {}],
    ["nats://a:99999", {}],
    ["nats://u:hidden@a/orders", {}],
    ["nats://u%zz:hidden@a", {}],
    ["nats://u:hidden@a?replica=3", {}],
    ["nats://u:hidden@a?replicas=6", {}],
    ["nats://u:hidden@a?servers=b:c", {}],
    ["nats://u:hidden@a", { ca: "/etc/ca.pem" }],
    ["nats://u:hidden@a", { queueType: "quorum" }],
  ])("%s with %j is refused, and the password not told", (url, options) => {
    expect(() => natsSettings(url, options)).toThrow(
      expect.objectContaining({ code: "MR_BAD_OPTION", message: expect.not.stringContaining("hidden") }),
    );
  });
});
