import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type DescribeRequest, describeModule } from "../../src/bundle/describe.ts";
import type { Description } from "../../src/bundle/description.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { MillraceError } from "../../src/errors.ts";

/** A user's project in a folder of its own, gone when the test is over. */
export interface Project {
  readonly folder: string;
  readonly outDirectory: string;
  path(name: string): string;
  link(name: string, target: string): void;
  describe(module: string, request?: Partial<DescribeRequest>): Promise<Description>;
  /** The error that describing ends in. */
  refusal(module: string, request?: Partial<DescribeRequest>): Promise<MillraceError>;
  /** Describes, and gives the one line that the module prints, as JSON. */
  printed(module: string): Promise<unknown>;
}

/** A whole pipeline, and the least there is. */
export const PIPELINE = `
import { pipeline } from "millrace";
export function make(name) {
  const p = pipeline(name);
  p.source("feed", function* () { yield 1; }).to(p.sink("out", () => {}));
  return p;
}
`;

export function project(files: Readonly<Record<string, string>>): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-bundle-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  for (const [name, text] of Object.entries({ "make.js": PIPELINE, ...files })) {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  }
  const outDirectory = path(".millrace/bundles");
  const describe = (module: string, request: Partial<DescribeRequest> = {}): Promise<Description> =>
    describeModule(nodeEnv, {
      outDirectory,
      ...request,
      module: module.includes(":") ? module : path(module),
    });
  return {
    folder,
    outDirectory,
    path,
    describe,
    link(name, target) {
      mkdirSync(dirname(path(name)), { recursive: true });
      symlinkSync(target, path(name), "dir");
    },
    async refusal(module, request) {
      try {
        await describe(module, request);
      } catch (error) {
        if (error instanceof MillraceError) return error;
        throw error;
      }
      throw new Error(`${module} was described, though it should have been refused`);
    },
    async printed(module) {
      const lines: string[] = [];
      await describe(module, { onOutput: (stream, line) => stream === "stdout" && lines.push(line) });
      if (lines.length !== 1) throw new Error(`expected one line, got ${JSON.stringify(lines)}`);
      return JSON.parse(lines[0] as string);
    },
  };
}

/** Node's package.json of a package in a project's node_modules. */
export function manifest(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ version: "1.0.0", ...fields });
}
