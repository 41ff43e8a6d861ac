import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { instanceLogger, type LogLine } from "../../src/instance/instance-logger.ts";

test("fields stand before the message or behind it; an Error is a field with its stack", () => {
  const lines: LogLine[] = [];
  const log = instanceLogger(nodeEnv, (line) => lines.push(line));
  log.info("plain");
  log.info({ n: 1, big: 5n }, "before");
  log.warn("behind", { deep: { n: 1 } });
  log.error(new RangeError("alone"));
  log.error("with", new RangeError("one"));
  log.debug({ n: 2 });
  expect(lines).toEqual([
    { level: "info", message: "plain" },
    { level: "info", message: "before", fields: { n: 1, big: "5" } },
    { level: "warn", message: "behind", fields: { deep: { n: 1 } } },
    {
      level: "error",
      message: "alone",
      fields: { error: expect.stringMatching(/^RangeError: alone\n +at /) },
    },
    { level: "error", message: "with", fields: { error: expect.stringMatching(/^RangeError: one\n +at /) } },
    { level: "debug", message: "", fields: { n: 2 } },
  ]);
});
