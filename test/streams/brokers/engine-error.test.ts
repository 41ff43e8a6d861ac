import { expect, test } from "vitest";
import { StreamError } from "../../../src/errors.ts";
import { engineError } from "../../../src/streams/brokers/engine-error.ts";

const WHO = "RabbitMQ at 127.0.0.1:5672";

test("an engine's error names the server and the heart of what its client threw", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5672"), { code: "ECONNREFUSED" });
  const error = engineError.unreachable(WHO, refused);

  expect(error).toBeInstanceOf(StreamError);
  expect(error).toMatchObject({
    code: "MR_ENGINE_UNREACHABLE",
    retryable: true,
    cause: refused,
    message: `${WHO}: it cannot be reached (connect ECONNREFUSED 127.0.0.1:5672)`,
  });
});

test("an error without words is named by its code, one of many by its first", () => {
  const coded = Object.assign(new Error(""), { code: "ECONNREFUSED" });
  const many = new AggregateError([new Error("connect ECONNREFUSED ::1:5672")], "");

  expect(engineError.unreachable(WHO, coded).message).toContain("ECONNREFUSED");
  expect(engineError.unreachable(WHO, many).message).toContain("connect ECONNREFUSED ::1:5672");
});

test("what a person must mend is not worth another attempt, and says what to do", () => {
  expect(engineError.refused(WHO, "ACCESS_REFUSED").retryable).toBe(false);
  expect(engineError.clientMissing("RabbitMQ", "amqplib", new Error("not found")).message).toBe(
    "RabbitMQ: its client library is not installed; npm install amqplib",
  );
  expect(engineError.tooOld("NATS 2.8.4 at h:4222", "2.9 or newer").message).toContain("2.9 or newer");
});
