import { expect, onTestFinished, test } from "vitest";
import { LocalBackplane } from "../../src/backplane/local.ts";
import { Coordinator } from "../../src/coordinator/coordinator.ts";
import { definitionOf } from "../../src/definition/definition-of.ts";
import { pipeline } from "../../src/definition/pipeline.ts";
import type { Definition, PipelineShape } from "../../src/definition/shape.ts";
import { shapeOf } from "../../src/definition/shape-of.ts";
import { nodeEnv } from "../../src/env/node.ts";
import type { BodyOf } from "../../src/mmop/messages.ts";
import { MmopServer } from "../../src/mmop/server.ts";

type Start = BodyOf<"agent.start-instance">;

function shape(): PipelineShape {
  const p = pipeline("placed");
  const feed = p.source("feed", () => [1]);
  const work = p.stage("work", (n: number) => n, { instances: 3 });
  const out = p.sink("out", () => undefined);
  feed.to(work).to(out);
  feed.to(out);
  return shapeOf(definitionOf(p) as Definition);
}

/** A coordinator with an agent that starts nothing, but writes down what it is told. */
async function deployed(
  refuse?: string,
): Promise<{ starts: Start[]; run: Awaited<ReturnType<Coordinator["deploy"]>> }> {
  const backplane = new LocalBackplane(nodeEnv, { onError: () => undefined });
  const starts: Start[] = [];
  const agent = new MmopServer(backplane.connect("agent"), {
    self: { name: "a1", boot: "b1" },
    onError: () => undefined,
  })
    .on("agent.start-run", () => ({ boot: "s1" }))
    .on("agent.start-instance", (body) => {
      starts.push(body);
      return body.stage === refuse
        ? ({
            outcome: "failure",
            category: "recipe",
            reason: `no stage is called ${body.stage} here`,
          } as const)
        : ({ outcome: "success", id: body.id, pid: null } as const);
    })
    .on("agent.streams-stats", () => ({
      boot: "s1",
      streams: ["work", "out"].map((name) => ({
        name,
        waiting: 1,
        unsettled: 1,
        delayed: 0,
        suspects: 0,
        appended: 1,
      })),
      counts: {},
    }))
    .on("agent.drain-instance", () => ({ known: false }) as never)
    .on("agent.stop-run", () => ({ known: true }));
  await agent.listen();
  const coordinator = new Coordinator({
    env: nodeEnv,
    backplane: backplane.connect("coordinator"),
    self: { name: "coordinator", boot: "c1" },
    version: "0.0.0",
    onError: () => undefined,
  });
  onTestFinished(async () => {
    await coordinator.stop();
    agent.close();
    await backplane.close();
  });
  await coordinator.start();
  const run = await coordinator.deploy(
    { run: "r1", shape: shape(), agent: "a1", instances: new Map([["work", 3]]) },
    {
      run: "r1",
      directory: "/nowhere",
      shape: shape(),
      params: {},
      bundle: { path: "/nowhere.mjs", exportName: "default", hash: "0" },
      engine: { kind: "memory", durability: "process" },
    },
  );
  return { starts, run };
}

test("every instance has a name of its own that begins with its stage's, and is of that stage", async () => {
  const { starts } = await deployed();

  expect(starts.map(({ stage }) => stage).sort()).toEqual(["feed", "out", "work", "work", "work"]);
  expect(new Set(starts.map(({ id }) => id)).size).toBe(5);
  for (const { id, stage, role } of starts) {
    expect(id.startsWith(`${stage}.`), id).toBe(true);
    expect(role).toBe(stage === "feed" ? "source" : "worker");
  }
});

test("what consumes is started before what produces", async () => {
  const { starts } = await deployed();

  const stages = starts.map(({ stage }) => stage);
  expect(stages.indexOf("out")).toBeLessThan(stages.indexOf("work"));
  expect(stages.lastIndexOf("work")).toBeLessThan(stages.indexOf("feed"));
});

test("an instance that cannot be started fails the run, and says why", async () => {
  const { run } = await deployed("out");

  expect(run.error).toMatchObject({
    code: "MR_INSTANCE_FAILING",
    message: expect.stringContaining("no stage is called out here"),
  });
});
