import { describe, expect, test } from "vitest";
import type { BackplaneBench, BackplaneUnderTest, Check } from "./backplane-bench.ts";
import { backplaneMessages } from "./backplane-messages.ts";
import { backplaneStorage } from "./backplane-storage.ts";

export interface BackplaneContractOptions {
  /** Tests that this implementation cannot pass, each with the reason. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

/** One suite for every backplane: what the rest of millrace may rely on. */
export function backplaneContract(
  implementation: string,
  start: () => Promise<BackplaneUnderTest>,
  options: BackplaneContractOptions = {},
): void {
  const skipped = new Map(options.skip?.flatMap(({ reason, tests }) => tests.map((name) => [name, reason])));
  const known = new Set<string>();
  const check: Check = (name, run) => {
    known.add(name);
    const reason = skipped.get(name);
    const title = reason === undefined ? name : `${name} (${reason})`;
    test(title, { skip: reason !== undefined }, () => withBench(start, run));
  };

  describe(`backplane contract: ${implementation}`, () => {
    backplaneMessages(check);
    backplaneStorage(check);
    test("every skip names a test of this suite", () => {
      expect([...skipped.keys()].filter((name) => !known.has(name))).toEqual([]);
    });
  });
}

async function withBench(
  start: () => Promise<BackplaneUnderTest>,
  run: (bench: BackplaneBench) => Promise<void>,
): Promise<void> {
  const server = await start();
  const errors: Error[] = [];
  const connect = (name: string) => server.connect(name, (error) => errors.push(error));
  try {
    await run({ server, errors, connect, a: await connect("a"), b: await connect("b") });
  } finally {
    await server.close();
  }
}
