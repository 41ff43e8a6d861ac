import { startRabbitmq } from "../../test/support/rabbitmq.ts";
import type { EngineBench } from "./engine-bench.ts";

export const amqp: EngineBench = {
  name: "amqp",
  what: "RabbitMQ, durable classic queues",
  roles: "engines/amqp-roles.mjs",
  single: { floor: 8, aim: 11 },
  async start(folder) {
    const server = await startRabbitmq({ folder });
    const version = (await server.control("eval", "rabbit_misc:version().")).trim().replaceAll('"', "");
    return { pid: server.pid, url: server.url, version: `RabbitMQ ${version}`, stop: () => server.stop() };
  },
};
