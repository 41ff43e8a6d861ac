import type { BrokerKind } from "../definition/engine-options.ts";
import type { BrokerOptions } from "../streams/brokers/open-broker.ts";

/** How this machine reaches a broker. It is told to the streams process alone: no message and no record has it. */
export interface BrokerAccess {
  readonly kind: BrokerKind;
  /** With user, password and options. */
  readonly url: string;
  readonly options: BrokerOptions;
}
