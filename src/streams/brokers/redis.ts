import { StreamError } from "../../errors.ts";
import type { MakeBroker } from "./open-broker.ts";

/** Redis as a broker. */
export const redisBroker: MakeBroker = () => {
  throw new StreamError(
    "MR_NOT_SUPPORTED",
    "streams: redis:// is not served by this version; use file: instead",
  );
};
