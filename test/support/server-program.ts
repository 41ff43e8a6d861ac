import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import servers from "./servers.json" with { type: "json" };

interface Origin {
  readonly apt: string;
  readonly dnf: string;
  readonly brew: string;
  /** Folders looked into before the PATH: there lies the program itself where the PATH has a wrapper, or nothing. */
  readonly places: readonly string[];
}

const ORIGINS: Readonly<Record<string, Origin>> = servers;

/** A server that a test needs is not on this machine; the message says how to get it. */
export class ServerMissingError extends Error {
  constructor(program: string) {
    const { apt, dnf, brew } = originOf(program);
    super(
      `${program}: not found on the PATH; install it with \`apt-get install ${apt}\` (Debian, Ubuntu), ` +
        `\`dnf install ${dnf}\` (Fedora) or \`brew install ${brew}\` (macOS)`,
    );
    this.name = "ServerMissingError";
  }
}

/** Where the program is on this machine; `undefined` where it is not. */
export function findProgram(program: string): string | undefined {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...originOf(program).places.flatMap(foldersOf), ...path]
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file));
}

/**
 * Whether one of them is not on this machine: `describe.skipIf(isMissing("nats-server"))`. Its tests stand in
 * skips.json, with the program that they need and the reason.
 */
export function isMissing(...programs: readonly string[]): boolean {
  return programs.some((program) => findProgram(program) === undefined);
}

function originOf(program: string): Origin {
  const origin = ORIGINS[program];
  if (!origin) throw new Error(`${program}: not in test/support/servers.json; add where it comes from`);
  return origin;
}

// A place with a star is a folder for each version, the newest first; `~/` is the home of who runs the tests.
function foldersOf(place: string): string[] {
  if (place.startsWith("~/")) return [join(homedir(), place.slice(2))];
  const [before, after] = place.split("*");
  if (before === undefined || after === undefined) return [place];
  if (!existsSync(before)) return [];
  const versions = readdirSync(before).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(before, version, after));
}
