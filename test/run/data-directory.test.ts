import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { openDataDirectory } from "../../src/run/data-directory.ts";

test("a directory that another run makes its own in the same moment is no stranger's", async () => {
  const parent = mkdtempSync(join(tmpdir(), "millrace-data-"));
  try {
    const directory = join(parent, "data");
    // The other run comes between this one's look for the marker and its look at what else is there.
    const disk = {
      ...nodeEnv.disk,
      list: async (path: string) => {
        await openDataDirectory(nodeEnv, directory);
        return await nodeEnv.disk.list(path);
      },
    };
    expect(await openDataDirectory({ ...nodeEnv, disk }, directory)).toBe(directory);
    expect(readdirSync(directory).sort()).toEqual([".gitignore", "millrace.json"]);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
