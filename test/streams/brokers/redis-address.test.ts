import { expect, test } from "vitest";
import { redisAddress } from "../../../src/streams/brokers/redis-address.ts";

test.each([
  ["redis://:hidden@cache", { host: "cache", port: 6379, password: "hidden", shown: "redis://cache" }],
  [
    "rediss://ann:hidden@[::1]:6380/2",
    { host: "::1", database: 2, isTls: true, shown: "rediss://ann@[::1]:6380/2" },
  ],
  ["REDIS://:hidden@cache", { host: "cache", isTls: false, shown: "redis://cache" }],
  ["redis://ann@b:hidden@cache", { user: "ann@b", shown: "redis://ann@b@cache" }],
])("%s is read, and what is shown of it holds no password", (url, expected) => {
  expect(redisAddress(url)).toMatchObject(expected);
});

test.each(["amqp://u:hidden@a", "redis://u:hid/den@a", "redis://u@b:hidden@a/first", "redis:u:hidden@a"])(
  "%s is refused, and the password not told",
  (url) => {
    expect(() => redisAddress(url)).toThrow(
      expect.objectContaining({ code: "MR_BAD_OPTION", message: expect.not.stringMatching(/hidden|den@/) }),
    );
  },
);
