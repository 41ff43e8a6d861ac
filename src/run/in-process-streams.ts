import { pacingByStage } from "../definition/pacing.ts";
import { hasStream, type PipelineShape, partitionsByStage } from "../definition/shape.ts";
import type { Env, Socket, Timers } from "../env/env.ts";
import { loopbackPair } from "../env/loopback.ts";
import { StreamConnection } from "../streams/connection.ts";
import type { StreamEngine } from "../streams/contract.ts";
import { openEngine } from "../streams/open-engine.ts";
import { STREAM_PROTOCOL_VERSION, type StatsAnswer, type StreamEvent } from "../streams/protocol.ts";
import { StreamServer } from "../streams/server.ts";
import { keepBlobsInMemory } from "./in-process-blobs.ts";

export interface InProcessStreamsOptions {
  /** Sees the engine before its first transaction. */
  onEngine?(engine: StreamEngine): void;
  /** Delivers what is written to the sockets; default: those of the environment. */
  readonly sockets?: Timers | undefined;
}

/** The streams of a run inside this process: the server of the streams process, in memory, and a control connection. */
export class InProcessStreams {
  readonly server: StreamServer;
  readonly secret: string;
  readonly #timers: Timers;
  #control: StreamConnection | undefined;

  private constructor(server: StreamServer, secret: string, timers: Timers) {
    this.server = server;
    this.secret = secret;
    this.#timers = timers;
  }

  static async make(env: Env, options: InProcessStreamsOptions): Promise<InProcessStreams> {
    const { engine } = await openEngine(env, { kind: "memory", directory: "", durability: "process" });
    keepBlobsInMemory(env, engine);
    options.onEngine?.(engine);
    const secret = env.random.bytes(8).toString("hex");
    const server = new StreamServer(env, engine, { boot: secret, secret });
    return new InProcessStreams(server, secret, options.sockets ?? env.timers);
  }

  /** Opens what a pipeline needs, and listens to what happens. */
  async open(shape: PipelineShape, onEvent: (event: StreamEvent) => void): Promise<void> {
    const { nodes } = shape;
    await this.server.open(
      nodes.filter(hasStream).map((node) => node.name),
      {
        inputs: nodes.filter((node) => node.input === "push").map((node) => node.name),
        pacing: pacingByStage(shape),
        partitions: partitionsByStage(shape),
      },
    );
    const hello = { version: STREAM_PROTOCOL_VERSION, stage: "", instance: "run", secret: this.secret };
    this.#control = await StreamConnection.greet(this.connect(), { ...hello, role: "control" }, { onEvent });
  }

  /** A socket to the server. */
  connect(): Socket {
    const [ours, theirs] = loopbackPair(this.#timers);
    this.server.accept(theirs);
    return ours;
  }

  /** Of the run itself. */
  get control(): StreamConnection {
    return this.#control as StreamConnection;
  }

  async scan(): Promise<StatsAnswer> {
    return await this.control.request("stats", {});
  }
}
