import { expect, test } from "vitest";
import type { NodeDefinition } from "../../src/definition/shape.ts";
import { readReturned } from "../../src/instance/call-results.ts";

const node = (change: Partial<NodeDefinition>): NodeDefinition =>
  ({ name: "work", kind: "stage", settings: {}, ...change }) as NodeDefinition;
const batch = { settings: { batch: { size: 10, withinMs: 100 } } } as Partial<NodeDefinition>;

test.each<[string, Partial<NodeDefinition>, unknown, string]>([
  [
    "a task's generator",
    { part: "process" },
    (function* () {})(),
    "it gave back a Generator; a task has one",
  ],
  [
    "a sink's generator",
    { kind: "sink" },
    (async function* () {})(),
    "gave back an AsyncGenerator; a sink's",
  ],
  ["a batch stage's map", batch, new Map([[1, 2]]), "gave back a Map; a batch stage gives back an array"],
  ["a batch stage's object", batch, { a: 1 }, 'gave back {"a":1}; a batch stage'],
])("%s is refused by its name", (_what, change, value, message) => {
  expect(() => readReturned(node(change), value)).toThrow(message);
});
