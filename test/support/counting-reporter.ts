import { readFileSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from "vitest/node";
import { findProgram } from "./server-program.ts";

interface Skip {
  /** Full name of the test as the report prints it: file > group > test. With a `*` at its end, all that begin so. */
  readonly test: string;
  readonly reason: string;
  /** The reason holds only on a machine without this program: where it is, the test must run. */
  readonly without?: string;
}

/**
 * Ends a run with one line alone, `N passed, N failed` (and `, N skipped`), for programs to read, and fails a run
 * that skips a test without a written reason in skips.json.
 *
 * A file that does not load, a hook that throws and an error outside any test count as one failure each: none of
 * them may hide behind the tests that did not run because of it.
 */
export class CountingReporter implements Reporter {
  readonly #allowed: readonly Skip[];
  #vitest: Vitest | undefined;

  constructor(skips: readonly Skip[] = readSkips()) {
    this.#allowed = skips.filter(
      ({ reason, without }) =>
        reason.length > 0 && (without === undefined || findProgram(without) === undefined),
    );
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const cases = modules.flatMap((module) => [...module.children.allTests()]);
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const passed = cases.filter((test) => test.result().state === "passed").length;
    const failedTests = cases.filter((test) => test.result().state === "failed").length;
    const failed = failedTests + sum(groups.map((group) => group.errors().length)) + unhandled.length;
    const skipped = cases.filter((test) => test.result().state === "skipped");

    // With a name pattern every other test counts as skipped; that is what was asked for.
    const unexplained = this.#vitest?.config.testNamePattern
      ? []
      : skipped.filter((test) => this.#isUnexplained(test));
    for (const test of unexplained) {
      console.log(`skipped without a reason in test/support/skips.json: ${nameOf(test)}`);
    }
    for (const test of cases.filter((known) => known.diagnostic()?.flaky === true)) {
      console.log(`passed only at its second try, look into it: ${nameOf(test)}`);
      for (const { message } of test.result().errors ?? [])
        console.log(`  at its first: ${message.slice(0, 4_000)}`);
    }
    if (unexplained.length > 0 || failed > 0) process.exitCode = 1;
    this.#printWanted(skipped);
    const tail = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
    console.log(`\n${passed} passed, ${failed} failed${tail}`);
  }

  /** What would have to be installed for the tests that were left out. */
  #printWanted(skipped: readonly TestCase[]): void {
    const wanted = new Map<string, number>();
    for (const name of skipped.map(nameOf)) {
      const without = this.#allowed.find((skip) => allows(skip, name))?.without;
      if (without !== undefined) wanted.set(without, (wanted.get(without) ?? 0) + 1);
    }
    for (const [program, tests] of wanted) {
      console.log(
        `left out because ${program} is not on this machine (see: npm run servers): ${tests} tests`,
      );
    }
  }

  #isUnexplained(test: TestCase): boolean {
    const name = nameOf(test);
    return !this.#allowed.some((skip) => allows(skip, name)) && !hasFailedAbove(test);
  }
}

function allows({ test }: Skip, name: string): boolean {
  return test.endsWith("*") ? name.startsWith(test.slice(0, -1)) : name === test;
}

function readSkips(): Skip[] {
  return JSON.parse(readFileSync(new URL("./skips.json", import.meta.url), "utf8")) as Skip[];
}

/** A hook or a file that failed above a test is already counted; its tests were not skipped by choice. */
function hasFailedAbove(test: TestCase): boolean {
  let above: TestSuite | TestModule = test.parent;
  while (above.type === "suite") {
    if (above.errors().length > 0) return true;
    above = above.parent;
  }
  return above.errors().length > 0;
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
