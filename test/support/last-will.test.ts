import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { bundled } from "./bundled.ts";
import { commandLine } from "./process-tree.ts";
import { isMissing } from "./server-program.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

test.skipIf(isMissing("nats-server"))(
  "a test that is killed with -9 leaves neither its servers nor their files",
  async () => {
    const program = await bundled(`
    import { startNats } from "../test/support/nats.ts";
    const { pid, folder } = await startNats();
    console.log(JSON.stringify({ pid, folder }));
  `);
    try {
      const child = spawn(process.execPath, [program.path], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      const line = await new Promise<string>((resolve) =>
        child.stdout.once("data", (data) => resolve(`${data}`)),
      );
      const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
      expect(commandLine(pid)).toContain(folder);
      expect(existsSync(folder)).toBe(true);

      child.kill("SIGKILL");
      await expect.poll(() => commandLine(pid), { timeout: 10_000 }).toBe("");
      await expect.poll(() => existsSync(folder), { timeout: 10_000 }).toBe(false);
    } finally {
      program.remove();
    }
  },
);
