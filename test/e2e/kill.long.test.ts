import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KILL_KINDS, type KillKind } from "../support/delivery-verdict.ts";
import { planRounds } from "../support/kill-plan.ts";
import { KillRound, type RoundPlan, type RoundReport } from "../support/kill-round.ts";

const ROUNDS = 20;
const OF_EACH_KIND = 6;
/** Kills that come too late prove nothing: their round is run again, at other moments. */
const MOST_AGAIN = 12;

/** `MILLRACE_TEST_SEED=7 npm run test:long -- kill` runs other rounds, or those of a failure again. */
const { MILLRACE_TEST_SEED = "1" } = process.env;
const seed = Number(MILLRACE_TEST_SEED);

test(`kill -9 of any process, ${ROUNDS} rounds of 200,000 items: nothing is lost, repeats have a cause`, {
  timeout: 900_000,
}, async () => {
  const reports: RoundReport[] = [];
  let again = 0;
  for (const [round, planned] of planRounds(seed, ROUNDS, OF_EACH_KIND).entries()) {
    let plan: RoundPlan = planned;
    for (;;) {
      const report = await new KillRound(plan, mkdtempSync(join(tmpdir(), "ms-"))).run();
      const { problems } = report.verdict;
      expect(
        problems,
        `round ${round}, seed ${plan.seed}, ${plan.kinds.join(", ")}\n${report.stderr}`,
      ).toEqual([]);
      if (report.missed === undefined) {
        reports.push(report);
        break;
      }
      expect(++again, `round ${round}: ${report.missed}`).toBeLessThanOrEqual(MOST_AGAIN);
      plan = { ...plan, seed: plan.seed + 100_000 };
    }
  }
  process.stdout.write(tableOf(reports));
  const kills = countKills(reports);
  expect(reports).toHaveLength(ROUNDS);
  for (const kind of KILL_KINDS) expect(kills.get(kind) ?? 0, `kills of ${kind}`).toBeGreaterThanOrEqual(5);
  // The law must have been put to the test: repeats of both kinds must have been there to be explained.
  expect(reports.some(({ verdict }) => verdict.redelivered > 0)).toBe(true);
  expect(reports.some(({ verdict }) => verdict.givenAgain > 0)).toBe(true);
});

function countKills(reports: readonly RoundReport[]): Map<KillKind, number> {
  const kills = new Map<KillKind, number>();
  for (const report of reports) {
    for (const { kind } of report.kills) kills.set(kind, (kills.get(kind) ?? 0) + 1);
  }
  return kills;
}

function tableOf(reports: readonly RoundReport[]): string {
  const rows = reports.map(({ plan, verdict, wallMs, kills }, round) => [
    String(round + 1),
    String(plan.seed),
    kills
      .map(({ kind, stage }) => (kind === "stage" || kind === "suspect" ? `${kind} ${stage}` : kind))
      .join(", "),
    `${verdict.redelivered} + ${verdict.givenAgain}`,
    String(verdict.allowed),
    `${(wallMs / 1_000).toFixed(1)} s`,
  ]);
  const head = ["round", "seed", "kills", "repeats + given again", "allowed", "wall"];
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] as string).length)),
  );
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd(),
  );
  const kills = [...countKills(reports)].map(([kind, count]) => `${kind} ${count}`).join(", ");
  return `\nkill -9, ${reports.length} rounds, lost 0\n${lines.join("\n")}\nkills that landed with items in flight: ${kills}\n\n`;
}
