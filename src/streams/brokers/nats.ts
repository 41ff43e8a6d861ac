import { checkJetStream, connectNats, serverOf } from "./nats-connect.ts";
import { NatsSession } from "./nats-session.ts";
import { natsSettings } from "./nats-settings.ts";
import type { MakeBroker } from "./open-broker.ts";

/**
 * JetStream as a broker: a work-queue stream on disk for each queue, with one pull consumer.
 *
 * @throws UsageError or DefinitionError MR_BAD_OPTION for a URL that names no server, an option that it does not have.
 */
export const natsBroker: MakeBroker = (env, url, options) => {
  const settings = natsSettings(url, options);
  const { address, queues } = settings;
  return {
    address,
    connect: (events, timeoutMs) =>
      connectNats(env, settings, timeoutMs, async (dialed) => {
        await checkJetStream(dialed);
        return new NatsSession({ env, ...dialed, server: serverOf(dialed.connection), queues, events });
      }),
  };
};
