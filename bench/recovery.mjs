import { importBench } from "./build.mjs";

await importBench("recovery/measure.ts");
