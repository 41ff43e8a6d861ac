import type { Env } from "../env/env.ts";
import { nodeEnv } from "../env/node.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A world whose time is virtual and whose chance a seed decides. Files and sockets are the real ones. */
export function simulatedEnv(time: VirtualTime, random: SeededRandom): Env {
  return {
    ...nodeEnv,
    clock: time.clock,
    timers: time.timers,
    random: { float: () => random.float(), bytes: (length) => random.bytes(length) },
  };
}
