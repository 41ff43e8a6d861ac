/** What users give to a source, stage or sink: a function, or a function with a life around it. */
import { DefinitionError, describeValue } from "../errors.ts";
import type { Context, SetupContext } from "./context.ts";
import { isPassItem } from "./push.ts";
import type { Handler } from "./shape.ts";

/**
 * A function with a life around it. `setup` runs once an instance, before its first item; what it returns
 * (awaited) is `ctx.state` of every call and the argument of `teardown`, which runs after the last item,
 * whatever happened. Write `setup` above `run`: the type of `ctx.state` is inferred in that order.
 */
export interface Life<Params, Setup> {
  readonly setup?: (ctx: SetupContext<Params>) => Setup;
  readonly teardown?: (state: Awaited<Setup>) => unknown;
}

export interface SourceHandler<Returned, Params, Setup> extends Life<Params, Setup> {
  readonly run: (ctx: Context<Params, Awaited<Setup>>) => Returned;
}

export interface ItemHandler<Input, Returned, Params, Setup> extends Life<Params, Setup> {
  readonly run: (input: Input, ctx: Context<Params, Awaited<Setup>>) => Returned;
}

/** A source's function or handler. */
export type SourceWork<Returned, Params = unknown, Setup = undefined> =
  | ((ctx: Context<Params, undefined>) => Returned)
  | SourceHandler<Returned, Params, Setup>;

/** A stage's or sink's function or handler. `Input` is an item, or an array of items with `batch`. */
export type ItemWork<Input, Returned, Params = unknown, Setup = undefined> =
  | ((input: Input, ctx: Context<Params, undefined>) => Returned)
  | ItemHandler<Input, Returned, Params, Setup>;

/**
 * The handler behind whatever the user gave; methods keep their `this`.
 *
 * @throws DefinitionError MR_BAD_OPTION when it is neither a function nor an object with a function `run`.
 */
export function handlerOf(work: unknown, subject: string): Handler {
  if (typeof work === "function") return { run: work as Handler["run"] };
  if (typeof work !== "object" || work === null || !("run" in work)) {
    throw new DefinitionError(
      "MR_BAD_OPTION",
      `${subject}: its second argument must be a function or { setup, run, teardown }, ` +
        `got ${describeValue(work)}; pass the function itself, not what it returns`,
    );
  }
  const run = method(work, "run", subject) as Handler["run"];
  const setup = method(work, "setup", subject) as Handler["setup"];
  const teardown = method(work, "teardown", subject) as Handler["teardown"];
  return { run, ...(setup && { setup }), ...(teardown && { teardown }) };
}

function method(work: object, name: string, subject: string): unknown {
  const value = (work as Readonly<Record<string, unknown>>)[name];
  // n.b. it is known by what it is.
  if (typeof value === "function") return isPassItem(value) ? value : value.bind(work);
  if (value === undefined && name !== "run") return undefined;
  throw new DefinitionError(
    "MR_BAD_OPTION",
    `${subject}: ${name} must be a function, got ${describeValue(value)}; give { setup, run, teardown } as functions`,
  );
}
