import { StreamError } from "../../errors.ts";
import type { MakeBroker } from "./open-broker.ts";

/** JetStream as a broker. */
export const natsBroker: MakeBroker = () => {
  throw new StreamError(
    "MR_NOT_SUPPORTED",
    "streams: nats:// is not served by this version; use file: instead",
  );
};
