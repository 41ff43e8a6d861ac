import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { openDataDirectory } from "../../src/run/data-directory.ts";

test("runs that begin at the same moment share a new data directory", async () => {
  const parent = mkdtempSync(join(tmpdir(), "millrace-data-"));
  try {
    for (let round = 0; round < 40; round++) {
      const directory = join(parent, String(round));
      await Promise.all(Array.from({ length: 6 }, () => openDataDirectory(nodeEnv, directory)));
      expect(readdirSync(directory).sort()).toEqual([".gitignore", "millrace.json"]);
    }
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
