/** A server of the broker, started for a measurement. */
export interface BenchServer {
  readonly pid: number;
  /** What `millrace run --streams` is given, and the raw client. */
  readonly url: string;
  /** For people: "RabbitMQ 3.10.8". */
  readonly version: string;
  stop(): Promise<void>;
}

/** A broker that streams may lie in, as the bench sees it. */
export interface EngineBench {
  /** As its row is called: `amqp`. */
  readonly name: string;
  /** For people: "RabbitMQ, classic durable queues". */
  readonly what: string;
  /** The compiled module whose roles talk to it by its own client library: "engines/amqp-roles.mjs". */
  readonly roles: string;
  /** What our frames must reach, in times of one message an item; left out where nothing is demanded. */
  readonly single?: { readonly floor: number; readonly aim: number };
  start(folder: string): Promise<BenchServer>;
}
