/**
 * The describe child's program: the only process that compiles a user's module, and the first to import it. It takes
 * one order, answers it, and is ended by its parent.
 */
import { checkGraph } from "../definition/check-graph.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { validateParams } from "../definition/validate-params.ts";
import { nodeEnv } from "../env/node.ts";
import { MillraceError } from "../errors.ts";
import {
  type DescribeMessage,
  type DescribeOrder,
  type DescribePhase,
  errorMessage,
} from "./describe-messages.ts";
import type { Description } from "./description.ts";
import { importExports } from "./import-bundle.ts";
import { importFailure } from "./import-failure.ts";
import { bundleLocally } from "./local-bundle.ts";
import { checkJsonParams } from "./params-check.ts";
import { runnableExport } from "./runnable-export.ts";
import { stackPlace } from "./stack-place.ts";

type Told = DescribeMessage extends infer M ? (M extends unknown ? Omit<M, "millrace"> : never) : never;

const env = nodeEnv;
const parent = env.processes.parent();
/** Grows when the module is compiled: what failures are placed in. */
let files: readonly string[] = [];
let shown = "";

function tell(message: Told): void {
  parent?.send({ millrace: "describe", ...message });
}

function fail(thrown: unknown): void {
  tell({ kind: "failed", error: errorMessage(importFailure(thrown, shown, files)) });
}

function enter(phase: DescribePhase): void {
  tell({ kind: "phase", phase });
}

async function describe(order: DescribeOrder): Promise<Description> {
  enter("compile");
  const { path, hash, files: bundled } = await bundleLocally(env.disk, order.modulePath, order.outDirectory);
  files = bundled;
  enter("import");
  const exported = await importExports(path);
  // A rejection that nobody waits for - of a `run(…)` in the module, say - shows only after the current turn.
  await new Promise<void>((resolve) => env.timers.soon(resolve));
  enter("check");
  const { name, definition } = runnableExport(exported, order.shown, order.exportName);
  checkGraph(definition);
  const params = await validateParams(definition, order.params);
  checkJsonParams(params, `pipeline ${definition.name}`);
  return {
    shape: shapeOf(definition),
    exportName: name,
    bundle: { path, hash },
    module: order.modulePath,
    params,
  };
}

/** The user's code may end the process: only from here can it be seen where. The channel writes at once. */
function watchExit(): void {
  process.on("exit", () => {
    const place = stackPlace(new Error("exit").stack ?? "", files);
    if (place !== undefined) tell({ kind: "exit", place });
  });
}

function main(): void {
  if (parent === undefined)
    throw new MillraceError("MR_INTERNAL", "describe child: it was started without a channel");
  // `run` looks for this: a module that runs itself when it is imported must not do so here.
  Object.assign(globalThis, { [Symbol.for("millrace.role")]: "describe" });
  parent.onGone(() => env.processes.exit(0));
  process.on("uncaughtException", fail);
  watchExit();
  let isOrdered = false;
  parent.onMessage((message) => {
    // Later messages are for the user's code, if for anyone.
    if (isOrdered) return;
    isOrdered = true;
    const order = message as DescribeOrder;
    shown = order.shown;
    describe(order).then((description) => tell({ kind: "described", description }), fail);
  });
}

main();
