import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { onTestFinished } from "vitest";

/** A small disk of its own, unmounted when the test is over. The tests run as root: they may, and modes would not stop them. */
export function mountSmallDisk(path: string, options: string): void {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  onTestFinished(() => {
    execFileSync("umount", ["-l", path]);
  });
}
