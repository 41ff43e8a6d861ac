import { defineConfig } from "vitest/config";
import { CountingReporter } from "./test/support/counting-reporter.ts";

/** The everyday tests: `npm test`. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/**/*.long.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ["default", new CountingReporter()],
  },
});
