import type { Arrival } from "./broker.ts";
import type { NatsDelivery } from "./nats-intake.ts";

/** The header that carries a message's number. */
export const NUMBER_HEADER = "Mr-Number";

export function arrivalOf(delivery: NatsDelivery): Arrival {
  const { data, headers } = delivery.message;
  const number = headers?.get(NUMBER_HEADER) ?? "";
  return {
    number: /^\d{1,16}$/.test(number) ? Number(number) : undefined,
    bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    ack: () => delivery.ack(),
  };
}
