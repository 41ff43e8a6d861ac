import { readClientTls } from "../certs/tls-files.ts";
import type { Env } from "../env/env.ts";
import { ensureError, MillraceError, remedyFor } from "../errors.ts";
import { type BrokerStreams, type Streams, streamsOf } from "../run/streams-url.ts";
import type { BrokerSession } from "../streams/brokers/broker.ts";
import { openBroker } from "../streams/brokers/open-broker.ts";
import type { Durability } from "../streams/contract.ts";
import { MAX_ITEM_BYTES } from "../wire/item-codec.ts";
import { clientsOf } from "./broker-clients.ts";
import { type Check, fail, ok, warn } from "./doctor-check.ts";
import { exitCodeOf } from "./exit-code.ts";

const CONNECT_MS = 10_000;
const DROP_MS = 2_000;
const PROBES = 20;
const PROBE_BYTES = 16_384;
/** The largest item, which travels alone, and what comes with it. NATS's own limit leaves room for that. */
const AMPLE_FRAME_BYTES = MAX_ITEM_BYTES + 16 * 1024;

const SURVIVES: Readonly<Record<Durability, string>> = {
  "power-loss": "the death of any process, and a power cut",
  "process-death":
    "the death of any process, also kill -9 of the server; a power cut may cost the last of it",
  nothing: "nothing but the death of our own processes: when the server dies, what it held is gone",
};

export interface StreamsChecks {
  readonly checks: readonly Check[];
  /** Of the command, when it is the engine that is not well. */
  readonly exitCode?: number;
}

/**
 * What there is to say about an engine. With a broker a queue is made, used and removed, since only that shows that it
 * may be. Throws UsageError MR_USAGE for what names no engine.
 */
export async function checkStreams(env: Env, url: string): Promise<StreamsChecks> {
  const streams = streamsOf(url);
  if (streams.kind === "file" || streams.kind === "memory") return { checks: [promiseOf(streams)] };
  try {
    return { checks: await checkBroker(env, streams) };
  } catch (error) {
    const { message } = ensureError(error);
    const fix = error instanceof MillraceError ? remedyFor(error.code) : "see the message";
    return { checks: [fail("streams", message, fix)], exitCode: exitCodeOf(error) };
  }
}

/** What the embedded streams promise; nothing is measured here. */
function promiseOf({ kind }: Streams): Check {
  return kind === "memory"
    ? ok("streams", "memory: nothing survives the end of the run")
    : ok(
        "streams",
        'file: a confirmed item survives the death of any process, and with durability "disk", the default, a power cut; memory: nothing survives',
      );
}

async function checkBroker(env: Env, streams: BrokerStreams): Promise<Check[]> {
  const broker = await openBroker(env, streams.url, { ...(await readClientTls(env)) });
  let lost: Error | undefined;
  let blocked: string | undefined;
  const startedAt = env.clock.mono();
  const session = await broker.connect(
    {
      lost: (problem) => {
        lost ??= problem;
      },
      blocked: (reason) => {
        blocked = reason;
      },
    },
    CONNECT_MS,
  );
  const connectMs = env.clock.mono() - startedAt;
  try {
    const clients = clientsOf(streams.kind).join(", ");
    const checks = [ok("streams", `${session.server} answers in ${connectMs.toFixed(0)} ms; ${clients}`)];
    const probe = await checkQueue(
      env,
      session,
      () => lost,
      () => blocked,
    );
    return [
      ...checks,
      probe,
      promiseOfBroker(streams, session),
      ...checkSize(session),
      ...cautionsOf(session),
    ];
  } finally {
    await session.close();
  }
}

/** Publishes into a queue of its own, and removes it. */
async function checkQueue(
  env: Env,
  session: BrokerSession,
  lost: () => Error | undefined,
  blocked: () => string | undefined,
): Promise<Check> {
  const queue = `millrace.doctor.${env.random.bytes(6).toString("hex")}`;
  const times: number[] = [];
  const late = new AbortController();
  const tooLate = env.timers.sleep(CONNECT_MS, late.signal).then(() => {
    const why = blocked() ?? lost()?.message ?? `no confirmation within ${CONNECT_MS / 1_000} s`;
    return fail("queue", why, "see the log of the server: a memory or disk alarm, a limit, a full disk");
  });
  const tried = async (): Promise<Check> => {
    await session.declare(queue);
    for (let i = 0; i < PROBES; i++) {
      const startedAt = env.clock.mono();
      await session.publish(queue, i, Buffer.alloc(PROBE_BYTES, i));
      times.push(env.clock.mono() - startedAt);
    }
    await session.drop(queue);
    const median = times.sort((a, b) => a - b)[PROBES / 2] ?? 0;
    return ok(
      "queue",
      `one was made, filled and removed; a frame is confirmed in ${median.toFixed(2)} ms (median of ${PROBES})`,
    );
  };
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([tried(), tooLate]);
  } catch (error) {
    return fail(
      "queue",
      ensureError(error).message,
      "give this user the right to make, fill, read and remove queues",
    );
  } finally {
    late.abort();
    // n.b. a server with an alarm lets its queues be removed all the same; one that has stopped does not answer.
    const limit = new AbortController();
    const over = env.timers.sleep(DROP_MS, limit.signal).catch(() => undefined);
    await Promise.race([session.drop(queue).catch(() => undefined), over]);
    limit.abort();
  }
}

function promiseOfBroker(streams: BrokerStreams, { confirmSurvives }: BrokerSession): Check {
  const detail = `what the server has confirmed survives ${SURVIVES[confirmSurvives]}; ${copiesOf(streams)}`;
  return confirmSurvives === "nothing"
    ? warn("promise", detail, "see the warnings, and docs/engines.md")
    : ok("promise", detail);
}

/** What the loss of a node of a cluster costs, with the options of the URL. */
function copiesOf({ kind, url }: BrokerStreams): string {
  const options = new URL(url).searchParams;
  if (kind === "amqp") {
    return options.get("queueType") === "quorum"
      ? "quorum queues: of a cluster most nodes have a copy, and the loss of the others costs nothing"
      : "classic queues: each lies on one node, and is away as long as that node is";
  }
  if (kind === "nats") {
    const replicas = Number(options.get("replicas") ?? 1);
    return replicas > 1
      ? `${replicas} replicas: the loss of ${Math.ceil(replicas / 2) - 1} of their servers costs nothing`
      : "one replica: a stream is away as long as its server is";
  }
  return "a failover to a replica may cost what had not reached it";
}

function checkSize({ maxFrameBytes }: BrokerSession): Check[] {
  if (maxFrameBytes >= AMPLE_FRAME_BYTES) return [];
  return [
    warn(
      "size",
      `it takes messages of up to ${maxFrameBytes} bytes: larger frames lie in the data directory`,
      "raise the limit of the server to 1 MiB",
    ),
  ];
}

function cautionsOf({ cautions = [] }: BrokerSession): Check[] {
  return cautions.map((caution) => {
    const end = caution.lastIndexOf("; ");
    return end < 0
      ? warn("caution", caution, "see docs/engines.md")
      : warn("caution", caution.slice(0, end), caution.slice(end + 2));
  });
}
