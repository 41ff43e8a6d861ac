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
    // On a shared machine a test of real processes may meet a moment that nobody meant. A second try must pass, and
    // the report names every test that needed one: it is a fault to be found, in the test or in what it tests.
    retry: process.env.CI === undefined ? 0 : 1,
    reporters: ["default", new CountingReporter()],
  },
});
