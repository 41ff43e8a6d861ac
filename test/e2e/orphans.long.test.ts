import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MillraceCommand } from "../support/millrace-command.ts";
import { commandLine } from "../support/process-tree.ts";
import { isAlive, processesWith } from "../support/run-processes.ts";
import { monotonicMs } from "../support/sink-record.ts";

/** What the fault table allows. */
const GONE_MS = 2_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ms-"));
});
afterEach(async () => {
  for (const { pid } of left()) process.kill(pid, "SIGKILL");
  while (left().length > 0) await sleep(5);
  rmSync(folder, { recursive: true, force: true });
});

const left = (): { pid: number; command: string }[] => processesWith(`STORM_FOLDER=${folder}`);

test.each([
  ["busy-loop.ts", "instance/main.js loop", "is in a busy loop in its function"],
  ["busy-import.ts", "describe-child.js", "imports a module that blocks"],
])(
  "%s, kill -9 of the command while its %s %s: nothing is left of the run after two seconds",
  {
    timeout: 60_000,
  },
  async (name, program) => {
    const module = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
    const command = new MillraceCommand(["run", module, "--data", join(folder, "data")], {
      cwd: folder,
      env: { STORM_FOLDER: folder, TMPDIR: folder },
    });
    const note = join(folder, "busy");
    while (!existsSync(note) || readFileSync(note, "utf8") === "") {
      expect(command.hasEnded, command.stderr).toBe(false);
      await sleep(5);
    }
    // It has been busy for a while: whatever its event loop still had to do, it has not done.
    await sleep(300);
    const busy = Number(readFileSync(note, "utf8"));
    expect(commandLine(busy)).toContain(program);
    expect(left().length).toBeGreaterThan(1);

    const at = monotonicMs();
    process.kill(command.pid, "SIGKILL");
    while (left().length > 0 && monotonicMs() - at < 10_000) await sleep(5);
    const tookMs = monotonicMs() - at;
    expect(left()).toEqual([]);
    expect(isAlive(busy)).toBe(false);
    expect(tookMs).toBeLessThan(GONE_MS);
    process.stdout.write(`${name}: all gone ${Math.round(tookMs)} ms after the command was killed\n`);
  },
);

test("kill -9 of the command at any moment of its start: nothing is left of it after two seconds", {
  timeout: 120_000,
}, async () => {
  const module = fileURLToPath(new URL("fixtures/busy-loop.ts", import.meta.url));
  // From before its first child is there to after the last.
  for (let afterMs = 60; afterMs <= 660; afterMs += 40) {
    const command = new MillraceCommand(["run", module, "--data", join(folder, `data-${afterMs}`)], {
      cwd: folder,
      env: { STORM_FOLDER: folder, TMPDIR: folder },
    });
    await sleep(afterMs);
    const at = monotonicMs();
    process.kill(command.pid, "SIGKILL");
    while (left().length > 0 && monotonicMs() - at < GONE_MS) await sleep(5);
    expect(left(), `killed ${afterMs} ms after its start`).toEqual([]);
  }
});
