import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { importBench } from "./build.mjs";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
const { main } = await importBench(
  "table.ts",
  "hop/bullmq-process.ts",
  "bullmq-roles.ts",
  "rows/raw-roles.ts",
  "rows/push-roles.ts",
  "rows/bullmq-processor.ts",
  "rows/burn-roles.ts",
  "engines/amqp-roles.ts",
  "engines/nats-roles.ts",
  "engines/redis-roles.ts",
  "jobs/bullmq-roles.ts",
  "jobs/piscina-roles.ts",
  "jobs/piscina-worker.ts",
);
process.exitCode = await main(process.argv.slice(2), repository);
