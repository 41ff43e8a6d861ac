import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { importBench } from "./build.mjs";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
const { main } = await importBench("startup/measure.ts");
process.exitCode = await main(process.argv.slice(2), repository);
