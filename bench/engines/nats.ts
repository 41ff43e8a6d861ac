import { natsVersion, startNats } from "../../test/support/nats.ts";
import type { EngineBench } from "./engine-bench.ts";

/** Far more than all frames of a measurement. */
const MAX_FILE = 16 * 2 ** 30;

export const nats: EngineBench = {
  name: "nats",
  what: "NATS JetStream, streams of files, flushed when the server's default has it",
  roles: "engines/nats-roles.mjs",
  async start(folder) {
    const server = await startNats({ folder, maxFile: MAX_FILE });
    return {
      pid: server.pid,
      url: server.url,
      version: `NATS ${natsVersion()}`,
      stop: () => server.stop(),
    };
  },
};
