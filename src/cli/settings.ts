import type { Command } from "commander";
import type { Config } from "../definition/config.ts";
import { readConfigFile } from "./config-file.ts";

const TEXTS = ["data", "streams", "keepFree"] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Fills in what a command takes and was not told by a flag: from `MILLRACE_*` variables, else from the config file.
 * A command without such an option needs no settings, and does not suffer from a broken file.
 */
export function addSettings(program: Command): void {
  program.hook("preAction", async (_program, command) => {
    const takes = (name: string): boolean =>
      command.options.some((option) => option.attributeName() === name);
    if (![...TEXTS, "instances"].some(takes)) return;
    const config = await readConfigFile(process.cwd());
    for (const name of TEXTS) {
      if (!takes(name) || command.getOptionValue(name) !== undefined) continue;
      const value = textSetting(name, config, process.env);
      if (value !== undefined) command.setOptionValueWithSource(name, value, "config");
    }
    if (takes("instances")) {
      const flags = (command.getOptionValue("instances") ?? []) as readonly string[];
      const all = [...instancesSettings(config, process.env), ...flags];
      if (all.length > 0) command.setOptionValueWithSource("instances", all, "config");
    }
  });
}

function textSetting(
  name: (typeof TEXTS)[number],
  config: Config,
  environment: Environment,
): string | undefined {
  const variable = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return environment[`MILLRACE_${variable}`] || config[name];
}

/** As the flag takes them; of two for one stage the later one counts. */
function instancesSettings(config: Config, environment: Environment): string[] {
  const ofFile = Object.entries(config.instances ?? {}).map(([stage, count]) => `${stage}=${count}`);
  const ofVariable = (environment.MILLRACE_INSTANCES ?? "").split(",").map((text) => text.trim());
  return [...ofFile, ...ofVariable.filter((text) => text !== "")];
}
