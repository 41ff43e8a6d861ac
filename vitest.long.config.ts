import { defineConfig } from "vitest/config";
import { CountingReporter } from "./test/support/counting-reporter.ts";

/** The long tests, which kill processes and fill disks: `npm run test:long`. */
export default defineConfig({
  test: {
    include: ["test/**/*.long.test.ts"],
    pool: "forks",
    // Most of a long test is waiting: two files at a time fill two cores.
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    // As in the everyday tests: a second try on CI, named in the report.
    retry: process.env.CI === undefined ? 0 : 1,
    reporters: ["default", new CountingReporter()],
  },
});
