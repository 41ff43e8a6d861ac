/**
 * The describe child's program: the only process that compiles a user's module, and the first to import it. It takes
 * one order, answers it, and is ended by its parent.
 */
import { checkGraph } from "../definition/check-graph.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { validateParams } from "../definition/validate-params.ts";
import { nodeEnv } from "../env/node.ts";
import { endWithParent } from "../env/watchdog.ts";
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
// What is to become of it is its parent's to say.
env.processes.ignoreStopSignals();
const parent = env.processes.parent();
/** Taken before the user's code can replace them. */
const outputs = [process.stdout, process.stderr].map((stream) => stream.write.bind(stream));

let phase: DescribePhase = "start";
/** What failures are placed in: known when the module is compiled. */
let files: readonly string[] = [];
let shown = "";

function tell(message: Told): void {
  parent?.send({ millrace: "describe", ...message });
}

function enter(next: DescribePhase): void {
  phase = next;
  tell({ kind: "phase", phase });
}

async function describe(order: DescribeOrder): Promise<Description> {
  enter("compile");
  const { path, hash, files: bundled } = await bundleLocally(env, order.modulePath, order.outDirectory);
  files = bundled;
  enter("import");
  const exported = await importExports(path);
  // A rejection that nobody waits for - of a `run(…)` in the module, say - shows only after the current turn.
  await new Promise<void>((resolve) => env.timers.soon(resolve));
  enter("check");
  const { name, definition } = runnableExport(exported, order.shown, order.exportName);
  checkGraph(definition);
  const params = await validateParams(definition, order.params);
  checkJsonParams(params, `params of pipeline ${definition.name}`);
  return {
    shape: shapeOf(definition),
    exportName: name,
    bundle: { path, hash },
    module: order.modulePath,
    params,
  };
}

/** The parent ends this process on its answer; what the module has printed must be out by then. */
async function answer(message: Told): Promise<void> {
  await Promise.all(outputs.map((write) => new Promise<void>((written) => write("", () => written()))));
  tell(message);
}

function fail(thrown: unknown): Promise<void> {
  // Elsewhere it is millrace's own code that throws, and says all there is to say.
  const isOurs = thrown instanceof MillraceError && phase !== "import";
  const error = isOurs ? thrown : importFailure(thrown, shown, files);
  return answer({ kind: "failed", error: errorMessage(error) });
}

/** The user's code may end the process: only from here can it be seen where. The channel writes at once. */
function watchExit(): void {
  process.on("exit", () => {
    const place = stackPlace(new Error("exit").stack ?? "", files);
    if (place !== undefined) tell({ kind: "exit", place });
  });
}

function main(): void {
  if (parent === undefined) {
    throw new MillraceError("MR_INTERNAL", "describe child: it has no parent; start it with describeModule");
  }
  // `run` looks for this: a module that runs itself when it is imported must not do so here.
  Object.assign(globalThis, { [Symbol.for("millrace.role")]: "describe" });
  parent.onGone(() => env.processes.exit(0));
  // A module may block while it is imported: then nothing of this thread notices that the parent is gone.
  endWithParent();
  process.on("uncaughtException", fail);
  watchExit();
  let isOrdered = false;
  parent.onMessage((message) => {
    // Later messages are for the user's code, if for anyone.
    if (isOrdered) return;
    isOrdered = true;
    const order = message as DescribeOrder;
    shown = order.shown;
    void describe(order).then((description) => answer({ kind: "described", description }), fail);
  });
}

main();
