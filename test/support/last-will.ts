import { spawn } from "node:child_process";

/**
 * What is done when this process ends in whatever way, `kill -9` included: a process is killed, or a folder removed.
 * A shell waits at a pipe that only we hold open. Returns how to take the will back.
 */
export function lastWill(will: { readonly kill: number } | { readonly remove: string }): () => void {
  // The second try is for a folder in which a process that is dying too has just written.
  const [deed, what] =
    "kill" in will
      ? ['kill -9 "$0"', `${will.kill}`]
      : ['rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }', will.remove];
  const shell = spawn("/bin/sh", ["-c", `while read -r _; do :; done; ${deed}`, what], {
    // In a session of its own: Ctrl-C at the terminal ends the whole group of the tests.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", () => undefined);
  shell.stdin.on("error", () => undefined);
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return () => {
    shell.kill("SIGKILL");
  };
}
