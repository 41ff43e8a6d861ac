import { connectAmqp, discard } from "./amqp-connect.ts";
import { connectProblem } from "./amqp-problem.ts";
import { AmqpSession } from "./amqp-session.ts";
import { amqpSettings } from "./amqp-settings.ts";
import type { MakeBroker } from "./open-broker.ts";

/**
 * RabbitMQ as a broker: `amqp://user:password@host:5672/vhost`, or amqps://.
 *
 * Options: `queueType` "classic" (default) or "quorum"; `arguments` of the queues; `exchange`, a durable direct
 * exchange to publish through; `heartbeatSeconds`, 10 by default: a server that is silent for about two to three times as
 * long is taken for gone; `ca`, `cert` and `key` for TLS, as PEM texts.
 */
export const amqpBroker: MakeBroker = (env, url, options) => {
  const settings = amqpSettings(url, options);
  return {
    address: settings.address,
    async connect(events, timeoutMs) {
      const deadline = env.clock.mono() + timeoutMs;
      const work = await connectAmqp(env, settings, "work", timeoutMs);
      const publishing = await connectAmqp(env, settings, "publishing", deadline - env.clock.mono()).catch(
        (error: unknown) => {
          discard(work);
          throw error;
        },
      );
      return AmqpSession.open(env, settings, [work, publishing], events).catch((error: unknown) => {
        throw connectProblem(error, settings.address);
      });
    },
  };
};
