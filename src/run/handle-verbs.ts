import type { RunCommands } from "../coordinator/run-commands.ts";
import type { RunEvents } from "../coordinator/run-events.ts";
import type { DeadLetterDesk } from "../definition/dead-letter.ts";
import type { RunEvent } from "../definition/run-event.ts";
import type { Handle } from "../definition/run-options.ts";
import { describeValue, UsageError } from "../errors.ts";
import { MAX_INSTANCES } from "./check-instances.ts";
import type { Pushes } from "./pushes.ts";

/** A run of either kind, as its handle commands it. */
export interface CommandableRun {
  readonly pushes: Pushes;
  readonly dead: DeadLetterDesk;
  readonly commands: RunCommands;
  close(source: string): Promise<void>;
  stop(now: boolean): Promise<void>;
  readonly events: RunEvents;
}

/** The part of a handle that commands its run. */
export function handleVerbs(
  run: CommandableRun,
): Pick<Handle, "dead" | "push" | "close" | "pause" | "resume" | "stop" | "scale" | "events"> {
  const { commands, pushes } = run;
  return {
    dead: run.dead,
    push: (source, items, options) => pushes.push(source, items, options),
    close: (source) => run.close(source),
    pause: (stage) => commands.hold(stage, "paused", false),
    resume: (stage) => commands.release(stage),
    stop: (
      what: { readonly now?: boolean; readonly stage?: string } | string = {},
      how: { readonly now?: boolean } = {},
    ) => {
      const { stage, now = false } = typeof what === "string" ? { ...how, stage: what } : what;
      return stage === undefined ? run.stop(now) : commands.hold(stage, "stopped", now);
    },
    scale: async (stage, instances) => {
      if (!Number.isSafeInteger(instances) || instances < 1 || instances > MAX_INSTANCES) {
        throw new UsageError(
          "MR_USAGE",
          `scale ${stage}: ${describeValue(instances)} instances; give a whole number from 1 to ${MAX_INSTANCES}, or pause the stage`,
        );
      }
      await commands.scale(stage, instances, instances);
    },
    events: () => eventsOf(run),
  };
}

/** What happens from now on: listening begins with the call, and what nobody has asked for yet is kept. */
function eventsOf(run: CommandableRun): AsyncIterableIterator<RunEvent> {
  const kept: RunEvent[] = [];
  let wake: (() => void) | undefined;
  let isOver = false;
  const end = (): void => {
    isOver = true;
    forget();
    wake?.();
  };
  const forget = run.events.listen((event) => {
    kept.push(event);
    wake?.();
    if (event.kind === "status" && isFinal(event.status)) end();
  });
  return {
    async next() {
      for (;;) {
        const value = kept.shift();
        if (value !== undefined) return { done: false, value };
        if (isOver) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async return() {
      kept.length = 0;
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function isFinal(status: string): boolean {
  return status === "completed" || status === "stopped" || status === "failed";
}
