/**
 * The edit child's program: runs the user's code about dead letters - a function that edits them, the schemas of their
 * stages - in a process of its own. It takes one order, then pages of letters, until its parent ends it.
 */
import type { Definition } from "../definition/shape.ts";
import { checkItem } from "../definition/standard-schema.ts";
import { nodeEnv } from "../env/node.ts";
import { endWithParent } from "../env/watchdog.ts";
import { ensureError, MillraceError, UsageError } from "../errors.ts";
import type { StoredDeadLetter } from "../records/dead-letter.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import { unpackValue } from "../wire/packing.ts";
import { onlyItem, replaceItem } from "../wire/replace-item.ts";
import { errorMessage } from "./describe-messages.ts";
import type { EditMessage, EditModule, EditOrder, EditPage } from "./edit-messages.ts";
import { importExports } from "./import-bundle.ts";
import { importFailure } from "./import-failure.ts";
import { bundleLocally } from "./local-bundle.ts";
import { runnableExport } from "./runnable-export.ts";
import { stackPlace } from "./stack-place.ts";

type Told = EditMessage extends infer M ? (M extends unknown ? Omit<M, "millrace"> : never) : never;
type Editor = (item: unknown, letter: unknown) => unknown;

const env = nodeEnv;
env.processes.ignoreStopSignals();
const parent = env.processes.parent();
const decoder = new ItemDecoder();
let editor: Editor | undefined;
let definition: Definition | undefined;
let files: readonly string[] = [];
let shown = "";

function tell(message: Told): void {
  parent?.send({ millrace: "edit", ...message });
}

async function open(order: EditOrder): Promise<Told> {
  if (order.pipeline !== undefined) {
    const { exported } = await load(order.pipeline, order.outDirectory);
    definition = runnableExport(exported, order.pipeline.shown, order.pipeline.exportName).definition;
  }
  if (order.editor === undefined) return { kind: "ready" };
  const { exported, hash } = await load(order.editor, order.outDirectory);
  const name = order.editor.exportName ?? "default";
  const found = exported[name];
  if (typeof found !== "function") {
    throw new UsageError(
      "MR_NOTHING_TO_RUN",
      `${order.editor.shown}: its export ${JSON.stringify(name)} is no function (item, letter) => item; name it: MODULE#export`,
    );
  }
  editor = found as Editor;
  return { kind: "ready", hash };
}

async function load(
  module: EditModule,
  outDirectory: string,
): Promise<{ exported: Readonly<Record<string, unknown>>; hash: string }> {
  const bundle = await bundleLocally(env, module.path, outDirectory);
  files = [...files, ...bundle.files];
  shown = module.shown;
  try {
    return { exported: await importExports(bundle.path), hash: bundle.hash };
  } catch (error) {
    throw importFailure(error, module.shown, bundle.files);
  }
}

async function edit({ stage, records }: EditPage): Promise<Told> {
  const schema = definition?.nodes.get(stage)?.schema;
  const frames: (string | null)[] = [];
  for (const text of records) {
    const stored = unpackValue(Buffer.from(text, "base64")) as StoredDeadLetter;
    let item = itemOf(stored);
    if (editor !== undefined) item = await edited(editor, item, stored);
    if (item !== undefined && schema !== undefined) await checkItem(schema, item, { stage, id: stored.id });
    frames.push(item === undefined || editor === undefined ? null : frameOf(stored, item).toString("base64"));
  }
  return { kind: "edited", frames };
}

/** Bytes that cannot be decoded are no item; the function may still give one. */
function itemOf({ frame }: StoredDeadLetter): unknown {
  try {
    return onlyItem(frame, decoder);
  } catch {
    return undefined;
  }
}

async function edited(change: Editor, item: unknown, stored: StoredDeadLetter): Promise<unknown> {
  const { frame: _frame, original: _original, lane: _lane, replay = 0, ...rest } = stored;
  try {
    return await change(item, { ...rest, replay, item });
  } catch (thrown) {
    const error = ensureError(thrown);
    const place = stackPlace(String(error.stack ?? ""), files);
    throw new UsageError(
      "MR_EDIT_FAILED",
      `dead letter ${stored.id}: ${shown} threw ${error.name}: ${error.message}${place === undefined ? "" : ` at ${place}`}`,
      { cause: error, details: { id: stored.id } },
    );
  }
}

function frameOf({ id, key, headers, enqueuedAt, frame }: StoredDeadLetter, item: unknown): Buffer {
  return replaceItem(frame, item, { id, headers, enqueuedAt, ...(key === undefined ? {} : { key }) });
}

function fail(thrown: unknown): void {
  const error =
    thrown instanceof MillraceError
      ? thrown
      : new UsageError("MR_EDIT_FAILED", `${shown}: ${ensureError(thrown).message}`, { cause: thrown });
  tell({ kind: "failed", error: errorMessage(error) });
}

function main(): void {
  if (parent === undefined) {
    throw new MillraceError("MR_INTERNAL", "edit child: it has no parent; start it with EditProcess");
  }
  // `run` looks for this: a module that runs itself when it is imported must not do so here.
  Object.assign(globalThis, { [Symbol.for("millrace.role")]: "describe" });
  parent.onGone(() => env.processes.exit(0));
  endWithParent();
  process.on("uncaughtException", fail);
  let work: Promise<unknown> | undefined;
  parent.onMessage((message) => {
    work =
      work === undefined
        ? open(message as EditOrder).then(tell, fail)
        : work.then(() => edit(message as EditPage)).then(tell, fail);
  });
}

main();
