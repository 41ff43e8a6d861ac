import { expect, test } from "vitest";
import { commandLine } from "../../src/cli/shell-text.ts";

test("the command that goes on with a run shows no password", () => {
  const shown = commandLine(["run", "a.ts", "--streams", "amqp://me:top%40secret@mq/v", "--new"]);

  expect(shown).toBe("millrace run a.ts --streams 'amqp://me:***@mq/v'");
  expect(commandLine(["run", "a.ts", "--streams=nats://token@mq"])).not.toContain("token");
  for (const url of [
    "redis://a@b:secret@mq",
    "redis://:se@secret@mq:1/0",
    "NATS://se@secret@mq",
    "NATS://u:secret@mq",
  ])
    expect(commandLine(["run", "a.ts", "--streams", url])).toMatch(/^[^']*'\w+:\/\/[^']*\*\*\*@mq(:1\/0)?'$/);
  expect(commandLine(["run", "a.ts", "--streams", "redis://mq:6379/1"])).toContain("redis://mq:6379/1");
});
