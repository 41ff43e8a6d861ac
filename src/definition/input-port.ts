import { StageError } from "../errors.ts";
import type { PushOptions } from "./push.ts";

/** How a push source that has a door of its own - an HTTP server, say - puts items into itself. */
export interface InputPort {
  /** As `Handle.push`: resolves when the items are durable. */
  push(items: readonly unknown[], options: InputOptions | undefined): Promise<void>;
  /** As much is on its way as may be: a push would wait. */
  readonly isFull: boolean;
  /** As `Handle.close`: no more items will come. Resolves when that is durable. */
  close(): Promise<void>;
}

export interface InputOptions extends PushOptions {
  /** `ctx.item.headers` of the source and of the stages that it leads to. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where the context of a setup holds it; a registered symbol, so that it is the same in every copy of the package. */
export const INPUT_PORT: unique symbol = Symbol.for("millrace.input-port") as never;

/** The port of the source whose setup has this context; undefined in an instance that only works off suspected items. */
export function inputPortOf(context: unknown, subject: string): InputPort | undefined {
  if (typeof context !== "object" || context === null || !(INPUT_PORT in context)) {
    throw new StageError("MR_INTERNAL", `${subject}: it was set up by something else than an instance`);
  }
  return context[INPUT_PORT] as InputPort | undefined;
}
