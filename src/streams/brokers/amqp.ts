import { StreamError } from "../../errors.ts";
import type { MakeBroker } from "./open-broker.ts";

/** RabbitMQ as a broker. */
export const amqpBroker: MakeBroker = () => {
  throw new StreamError(
    "MR_NOT_SUPPORTED",
    "streams: amqp:// is not served by this version; use file: instead",
  );
};
