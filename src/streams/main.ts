import { nodeEnv } from "../env/node.ts";
import { errorInfo } from "../errors.ts";
import { BlobFolder } from "./blob-folder.ts";
import type { StreamEngine } from "./contract.ts";
import { type EngineSettings, type OpenedEngine, openEngine } from "./open-engine.ts";
import { StreamServer } from "./server.ts";

/** What the agent tells a streams process to begin with. */
export interface StreamsStart {
  readonly engine: EngineSettings;
  readonly socket: string;
  readonly secret: string;
}

/** What a streams process tells its agent. */
export type StreamsMessage =
  | { readonly kind: "ready"; readonly boot: string }
  | { readonly kind: "failed"; readonly error: ReturnType<typeof errorInfo> };

/** The program of a streams process: one per agent, told by its parent what to open, gone when the parent is. */
async function main(): Promise<void> {
  const env = nodeEnv;
  const parent = env.processes.parent();
  if (parent === undefined) throw new Error("streams process: it is started by an agent, not by hand");
  parent.onGone(() => env.processes.exit(0));
  env.processes.ignoreStopSignals();
  let opened: OpenedEngine | undefined;
  let server: StreamServer | undefined;

  let blobs: BlobFolder | undefined;

  const keepBlobs = (engine: StreamEngine, directory: string): void => {
    const folder = new BlobFolder(env, directory);
    blobs = folder;
    engine.onBlobFree((blob) => void folder.remove(blob));
    void folder.sweep((blob) => engine.holdsBlob(blob)).catch(() => undefined);
  };

  const start = async (message: StreamsStart): Promise<void> => {
    try {
      opened = await openEngine(env, message.engine);
      if (message.engine.blobs !== undefined) keepBlobs(opened.engine, message.engine.blobs);
      const boot = env.random.bytes(8).toString("hex");
      const running = new StreamServer(env, opened.engine, {
        boot,
        secret: message.secret,
        damage: opened.damage,
        ...(opened.disk && { disk: opened.disk }),
      });
      server = running;
      await env.net.listen(message.socket, (socket) => running.accept(socket));
      parent.send({ kind: "ready", boot } satisfies StreamsMessage);
    } catch (error) {
      parent.send({ kind: "failed", error: errorInfo(error) } satisfies StreamsMessage);
    }
  };

  parent.onMessage((message) => {
    if (message === "stop") {
      void (async () => {
        await server?.close();
        await opened?.close();
        await blobs?.settled();
        env.processes.exit(0);
      })();
    } else void start(message as StreamsStart);
  });
}

await main();
