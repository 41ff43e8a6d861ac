import type { Holds } from "../coordinator/holds.ts";
import type { PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import { answerControl } from "../streams/control.ts";
import type { StreamServer } from "../streams/server.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { RecordsAccess } from "./reach-run.ts";

export interface InProcessLettersParts {
  readonly env: Env;
  readonly shape: PipelineShape;
  readonly server: StreamServer;
  readonly holds: Holds;
  /** Whether nobody will work on a stage again. */
  isCompleted(stage: string): boolean;
  onReplayed(): void;
}

/** The dead letters of a run inside this process. */
export function inProcessLetters(parts: InProcessLettersParts): DeadLetters {
  const { env, shape, server, holds } = parts;
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
  const stages = shape.nodes.filter((node) => node.kind !== "source").map((node) => node.name);
  return new DeadLetters({ clock: env.clock, stages, access });
}
