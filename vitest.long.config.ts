import { defineConfig } from "vitest/config";
import { CountingReporter } from "./test/support/counting-reporter.ts";

/** The long tests, which kill processes and fill disks: `npm run test:long`. One file at a time. */
export default defineConfig({
  test: {
    include: ["test/**/*.long.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    // As in the everyday tests: a second try on CI, named in the report.
    retry: process.env.CI === undefined ? 0 : 1,
    reporters: ["default", new CountingReporter()],
  },
});
