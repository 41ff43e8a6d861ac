import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { TerminalScreen } from "./terminal-screen.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));
const LIMIT_MS = 60_000;

export interface TerminalCli {
  readonly screen: TerminalScreen;
  /** All that was written, with its escape sequences. */
  readonly raw: string;
  readonly ended: Promise<number | null>;
  /** Keys. */
  type(text: string): void;
  /** Resolves when the screen satisfies; rejects when the command ends before. */
  until(isThere: (screen: TerminalScreen) => boolean): Promise<void>;
}

/** Runs `millrace` on a terminal of its own: script(1) of util-linux makes one. */
export function startOnTerminal(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly columns: number;
    readonly rows: number;
    readonly env?: Readonly<Record<string, string | undefined>>;
  },
): TerminalCli {
  const { cwd, columns, rows } = options;
  const words = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(" ");
  const command = `stty cols ${columns} rows ${rows}; exec ${words}`;
  const { CI: _ci, NO_COLOR: _none, FORCE_COLOR: _force, ...inherited } = process.env;
  const child = spawn("script", ["-qfec", command, "/dev/null"], {
    cwd,
    env: { ...inherited, NODE_OPTIONS: "", TERM: "xterm-256color", ...options.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const screen = new TerminalScreen(columns);
  let raw = "";
  let rest = "";
  let isOver = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    raw += text;
    // A sequence may come in two pieces.
    const whole = rest + text;
    const cut = whole.lastIndexOf("\u001b");
    const isWhole = cut < 0 || /^.\[[?]?[\d;]*[A-Za-z]/.test(whole.slice(cut));
    rest = isWhole ? "" : whole.slice(cut);
    screen.write(isWhole ? whole : whole.slice(0, cut));
  });
  const limit = setTimeout(() => child.kill("SIGHUP"), LIMIT_MS);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      isOver = true;
      clearTimeout(limit);
      resolve(code);
    });
  });
  return {
    screen,
    get raw() {
      return raw;
    },
    ended,
    type: (text) => void child.stdin.write(text),
    async until(isThere) {
      while (!isThere(screen)) {
        if (isOver) throw new Error(`it ended before that:\n${screen.text}`);
        await sleep(5);
      }
    },
  };
}
