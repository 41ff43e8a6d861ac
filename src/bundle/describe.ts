import { resolve } from "node:path";
import { entryPath } from "../env/entry.ts";
import type { Env } from "../env/env.ts";
import {
  type DescribeOrder,
  type DescribePhase,
  isDescribeMessage,
  unpackError,
} from "./describe-messages.ts";
import type { Description } from "./description.ts";
import { childDeath, childTimeout, type LostChild } from "./lost-child.ts";
import { moduleAddress } from "./module-address.ts";
import { checkJsonParams } from "./params-check.ts";

export interface DescribeRequest {
  /** A path, or a file: URL; `#export` behind it names an export. */
  readonly module: string;
  /** As given by the user, not validated; safe for JSON. Default: none. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Where bundles are kept; made when missing. */
  readonly outDirectory: string;
  /** How long compiling, importing and checking may take together, milliseconds; default 20 000. */
  readonly timeoutMs?: number;
  /** Lines that the module prints while it is imported; default: they are dropped. */
  readonly onOutput?: (stream: "stdout" | "stderr", line: string) => void;
  /** Gives it up: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 20_000;

/** Lines of the child's stderr that are kept for an error. */
const KEPT_LINES = 20;

/** Stack traces of user code name the user's lines; packages are resolved from where the user's file lies. */
const NODE_FLAGS = ["--enable-source-maps", "--experimental-import-meta-resolve"];

/**
 * Learns what a user's module exports, in a process of its own: this one never runs user code. That process is gone
 * when the promise settles.
 *
 * @throws UsageError MR_MODULE_NOT_FOUND, MR_MODULE_INVALID, MR_MODULE_TIMEOUT, MR_NOTHING_TO_RUN,
 *   MR_AMBIGUOUS_EXPORT, MR_BAD_PARAMS, MR_RUN_IN_INSTANCE; DefinitionError for what is wrong with the pipeline;
 *   DataDirectoryError MR_DATA_UNWRITABLE.
 */
export async function describeModule(env: Env, request: DescribeRequest): Promise<Description> {
  const address = await moduleAddress(env.disk, request.module);
  const params = request.params ?? {};
  checkJsonParams(params, address.shown);
  const { path: modulePath, shown, exportName } = address;
  const order = { modulePath, shown, params, outDirectory: resolve(request.outDirectory) };
  const outcome = await askChild(env, exportName === undefined ? order : { ...order, exportName }, request);
  if ("error" in outcome) throw outcome.error;
  return outcome.description;
}

type Outcome = { readonly description: Description } | { readonly error: unknown };

async function askChild(env: Env, order: DescribeOrder, request: DescribeRequest): Promise<Outcome> {
  const limitMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const lastLines: string[] = [];
  let phase: DescribePhase = "start";
  let exitPlace: string | undefined;
  let outcome: Outcome | undefined;
  let end = (): void => undefined;
  let ended = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const lost = (): LostChild => {
    const known = { shown: order.shown, phase, lastLines };
    return exitPlace === undefined ? known : { ...known, exitPlace };
  };
  // The first outcome counts; what the module left running - timers, servers - goes with the process.
  const finish = (reached: Outcome): void => {
    outcome ??= reached;
    end();
  };

  const child = await env.processes.spawn({
    module: entryPath("bundle/describe-child.js"),
    nodeFlags: NODE_FLAGS,
    onOutput: (stream, line) => {
      if (stream === "stderr" && lastLines.push(line) > KEPT_LINES) lastLines.shift();
      request.onOutput?.(stream, line);
    },
    onMessage: (message) => {
      if (!isDescribeMessage(message)) return;
      if (message.kind === "phase") phase = message.phase;
      else if (message.kind === "exit") exitPlace = message.place;
      else if (message.kind === "described") finish({ description: message.description });
      else finish({ error: unpackError(message.error) });
    },
    onExit: (exit) => {
      outcome ??= { error: childDeath(lost(), exit) };
      ended();
    },
  });
  end = () => child.kill("SIGKILL");
  if (outcome !== undefined) end();
  const limit = env.timers.after(limitMs, () => finish({ error: childTimeout(lost(), limitMs) }));
  const giveUp = (): void => finish({ error: request.signal?.reason });
  if (request.signal?.aborted === true) giveUp();
  request.signal?.addEventListener("abort", giveUp);
  child.send(order);
  await gone;
  limit.cancel();
  request.signal?.removeEventListener("abort", giveUp);
  return outcome as Outcome;
}
