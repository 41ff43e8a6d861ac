import { expect, test } from "vitest";
import { definitionOf } from "../../src/definition/definition-of.ts";
import { job } from "../../src/definition/job.ts";
import type { Definition } from "../../src/definition/shape.ts";

test("a job's memory limit holds for its split and its combine as well", () => {
  const large = job("large", { process: (line: string) => line, resources: { memory: "4GB" } });
  const { nodes } = definitionOf(large) as Definition;
  expect([...nodes.values()].map(({ name, settings }) => [name, settings.memoryBytes])).toEqual([
    ["split", 4_294_967_296],
    ["process", 4_294_967_296],
    ["combine", 4_294_967_296],
  ]);
});
