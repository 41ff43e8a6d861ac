import { nodeEnv } from "../../../src/env/node.ts";
import type { Arrival, Broker, BrokerSession, Intake } from "../../../src/streams/brokers/broker.ts";
import { redisBroker } from "../../../src/streams/brokers/redis.ts";

/** A session with Redis, with what was told of it, and what a queue handed out. */
export interface RedisTrial {
  readonly session: BrokerSession;
  readonly lost: Error[];
  readonly blocked: (string | undefined)[];
}

export function brokerAt(url: string, options: Readonly<Record<string, unknown>> = {}): Broker {
  return redisBroker(nodeEnv, url, options);
}

export async function connectTo(broker: Broker, timeoutMs = 5_000): Promise<RedisTrial> {
  const lost: Error[] = [];
  const blocked: (string | undefined)[] = [];
  const events = {
    lost: (problem: Error) => void lost.push(problem),
    blocked: (reason: string | undefined) => void blocked.push(reason),
  };
  return { session: await broker.connect(events, timeoutMs), lost, blocked };
}

/** The message of the error with which a connection is refused, behind its code. */
export async function refusalOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code} ${message}`;
  }
  return "nothing was refused";
}

export interface Taken {
  readonly intake: Intake;
  readonly arrivals: Arrival[];
  readonly numbers: (number | undefined)[];
}

/** Takes what a queue hands out, and acknowledges nothing by itself. */
export function take({ session }: RedisTrial, queue: string, limit: number): Taken {
  const arrivals: Arrival[] = [];
  const numbers: (number | undefined)[] = [];
  const intake = session.consume(queue, (arrival) => {
    arrivals.push(arrival);
    numbers.push(arrival.number);
  });
  intake.limit(limit);
  return { intake, arrivals, numbers };
}

export function upTo(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
