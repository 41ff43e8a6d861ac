import { type EngineOptions, optionsFor } from "../definition/engine-options.ts";
import { hasStream } from "../definition/shape.ts";
import type { EngineSettings } from "../streams/open-engine.ts";
import type { AgentRunSettings } from "./agent-run.ts";

/** The engine that a run's streams process is to open. */
export function engineOf(settings: AgentRunSettings): EngineSettings {
  return {
    ...settings.engine,
    ...brokerOf(settings),
    directory: `${settings.directory}/log`,
    blobs: blobsOf(settings),
  };
}

function brokerOf({
  broker,
  shape,
  run,
}: AgentRunSettings): Pick<EngineSettings, "url" | "options" | "queuePrefix" | "stageOptions"> {
  if (broker === undefined) return {};
  const stageOptions: Record<string, EngineOptions> = Object.create(null);
  for (const node of shape.nodes.filter(hasStream)) {
    const known = optionsFor(broker.kind, node.settings.engine ?? {});
    if (Object.keys(known).length > 0) stageOptions[node.name] = known;
  }
  const { url, options } = broker;
  return { url, options, queuePrefix: `millrace.${shape.name}.${run}`, stageOptions };
}

/** Where the blobs of a run's items lie. */
export function blobsOf({ directory }: Pick<AgentRunSettings, "directory">): string {
  return `${directory}/blobs`;
}
