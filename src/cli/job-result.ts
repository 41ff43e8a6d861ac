import type { RunResult } from "../definition/run-result.ts";
import { itemAsJson } from "./item-json.ts";

/** A job's result as it is printed: text as it is, with a line end; anything else as JSON; nothing for undefined. */
export function resultText(result: unknown): string {
  if (result === undefined) return "";
  if (typeof result === "string") return result.endsWith("\n") ? result : `${result}\n`;
  return `${JSON.stringify(itemAsJson(result))}\n`;
}

/** A run's result as one line of JSON. */
export function runResultText({ result, failedTask, ...rest }: RunResult): string {
  const shown = {
    ...rest,
    ...(result !== undefined && { result: itemAsJson(result) }),
    ...(failedTask && { failedTask: { ...failedTask, input: itemAsJson(failedTask.input) } }),
  };
  return `${JSON.stringify(shown)}\n`;
}
