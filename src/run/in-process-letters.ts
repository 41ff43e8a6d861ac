import type { Holds } from "../coordinator/holds.ts";
import { type Definition, hasStream } from "../definition/shape.ts";
import { checkItem } from "../definition/standard-schema.ts";
import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import { answerControl } from "../streams/control.ts";
import type { StreamServer } from "../streams/server.ts";
import { DeadLetters, type ItemCheck } from "./dead-letters.ts";
import type { RecordsAccess } from "./reach-run.ts";

export interface InProcessLettersParts {
  readonly env: Env;
  readonly definition: Definition;
  readonly server: StreamServer;
  readonly holds: Holds;
  /** Whether nobody will work on a stage again. */
  isCompleted(stage: string): boolean;
  onReplayed(): void;
}

/** The dead letters of a run inside this process. */
export function inProcessLetters(parts: InProcessLettersParts): DeadLetters {
  const { env, definition, server, holds } = parts;
  const access: RecordsAccess = {
    request: (verb, ask) => answerControl(server, { id: 0, verb, ask }) as Promise<never>,
    async replay(stage, ids) {
      if (parts.isCompleted(stage)) {
        throw new RunError(
          "MR_STAGE_COMPLETED",
          `stage ${stage}: it has completed, and a run inside a process cannot be re-opened`,
        );
      }
      const release = holds.hold(stage);
      try {
        return await server.letters.replay(stage, ids);
      } finally {
        release();
        parts.onReplayed();
      }
    },
  };
  const stages = [...definition.nodes.values()].filter(hasStream).map((node) => node.name);
  const check: ItemCheck = async (stage, items) => {
    const schema = definition.nodes.get(stage)?.schema;
    if (schema === undefined) return;
    for (const { id, item } of items) await checkItem(schema, item, { stage, id });
  };
  return new DeadLetters({ clock: env.clock, stages, access, check });
}
