import type { JetStreamApiError, JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import { engineError } from "./engine-error.ts";
import type { NatsQueueOptions } from "./nats-settings.ts";
import { isBefore } from "./nats-version.ts";

/** Clusters of older servers have been seen to lose confirmed messages on one of three copies, in silence. */
const OLDEST_WITH_COPIES = [2, 10, 27];

/** The stream that holds a queue: its name can hold no dot. Queues have no `=` in theirs, so no two of them meet. */
export const streamOf = (queue: string): string => queue.replaceAll(".", "=");

/**
 * A queue is a stream of its own with one subject, the queue's name. It keeps a message until it is acknowledged, and
 * refuses new ones when it is full: what is in it never goes for want of room.
 */
function configOf(queue: string, { replicas, storage, maxBytes }: NatsQueueOptions) {
  return {
    name: streamOf(queue),
    subjects: [queue],
    retention: "workqueue",
    storage,
    discard: "new",
    num_replicas: replicas,
    max_bytes: maxBytes ?? -1,
    max_msgs: -1,
  } satisfies Partial<StreamConfig>;
}

/** Codes of JetStream's answers that we tell apart. */
const STREAM_EXISTS = 10058;
const SUBJECT_TAKEN = 10065;
const NO_STREAM = 10059;

export const apiCode = (error: unknown): number | undefined =>
  error instanceof Error && error.name.endsWith("Error") && "apiError" in error
    ? (error as JetStreamApiError).code
    : undefined;

/** @throws StreamError MR_ENGINE_QUEUE_DIFFERS, MR_ENGINE_TOO_OLD; errors of the client as they are */
export async function declareQueue(
  jsm: JetStreamManager,
  { server, version }: { readonly server: string; readonly version: string },
  queue: string,
  options: NatsQueueOptions,
): Promise<void> {
  if (options.replicas > 1 && isBefore(version, OLDEST_WITH_COPIES))
    throw engineError.tooOld(
      server,
      `${OLDEST_WITH_COPIES.join(".")} or newer for replicas: ${options.replicas}`,
    );
  const asked = configOf(queue, options);
  try {
    await jsm.streams.add(asked);
    // Only its leader answers: while one is being elected the queue takes nothing.
    if (options.replicas > 1) await jsm.streams.info(asked.name);
  } catch (error) {
    const code = apiCode(error);
    if (code === SUBJECT_TAKEN) throw engineError.queueDiffers(server, `the subject ${queue}`, error);
    if (code !== STREAM_EXISTS) throw error;
    const { config } = await jsm.streams.info(asked.name);
    const differences = differencesBetween(asked, config);
    if (differences !== "") throw engineError.queueDiffers(server, `the stream ${asked.name}`, differences);
  }
}

/** What else a person has set - a description, where it is placed - is no business of ours. */
function differencesBetween(asked: ReturnType<typeof configOf>, found: StreamConfig): string {
  const names = [
    "subjects",
    "retention",
    "storage",
    "discard",
    "num_replicas",
    "max_bytes",
    "max_msgs",
  ] as const;
  return names
    .filter((name) => String(asked[name]) !== String(found[name]))
    .map((name) => `${name} is ${found[name]}, not ${asked[name]}`)
    .join(", ");
}

/** Removes the stream; nothing where there is none. */
export async function dropQueue(jsm: JetStreamManager, queue: string): Promise<void> {
  try {
    await jsm.streams.delete(streamOf(queue));
  } catch (error) {
    if (apiCode(error) !== NO_STREAM) throw error;
  }
}
