import type { Env } from "../../env/env.ts";
import { ProgressLines } from "./progress-lines.ts";
import { Quiet } from "./quiet.ts";
import type { RunDisplay } from "./run-display.ts";
import { isRepaintable, styleFor } from "./style.ts";

/** A live table on a terminal, a line now and then elsewhere, nothing when asked to be quiet. */
export async function displayFor(
  env: Env,
  { isQuiet, isJson }: { readonly isQuiet: boolean; readonly isJson: boolean },
): Promise<RunDisplay> {
  const { stderr, stdout } = process;
  if (isQuiet) return new Quiet(isJson);
  const style = styleFor(stderr, process.env);
  if (!isRepaintable(stderr, process.env)) return new ProgressLines(env, style, isJson);
  // What only a terminal needs is loaded only there.
  const [{ LiveTable }, { Screen }] = await Promise.all([import("./live-table.ts"), import("./screen.ts")]);
  return new LiveTable({
    env,
    style,
    screen: new Screen(stderr),
    isStdoutShown: isJson || stdout.isTTY === true,
    writeStdout: (text) => (isJson ? stderr : stdout).write(text),
  });
}
