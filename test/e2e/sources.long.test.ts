import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

test("a file of many times the memory of its instance is read to its end, compressed or not", async () => {
  const COPIES = 40;
  const piece = Buffer.from(
    Array.from({ length: 200_000 }, (_, i) => `a line of a large file, number ${i}\n`).join(""),
  );
  const project = cliProject({
    "large.ts": `
      import { lines, pipeline } from "millrace";
      const p = pipeline("large");
      p.source("lines", lines("large.txt*"), { resources: { memory: "48MB" } })
        .to(p.sink("out", (_: string) => undefined), { when: (line) => line.endsWith(" 199999") });
      export default p;
    `,
  });
  writeFileSync(project.path("large.txt"), Buffer.concat(Array<Buffer>(COPIES).fill(piece)));
  // Members one behind the other, as some programs write them.
  writeFileSync(project.path("large.txt.gz"), Buffer.concat(Array<Buffer>(COPIES).fill(gzipSync(piece))));
  const { code, json } = await project.run("large.ts", [], { timeoutMs: 300_000 });
  expect(code).toBe(0);
  expect(json.stages.lines?.emitted).toBe(2 * COPIES * 200_000);
  expect(json.stages.out?.completed).toBe(2 * COPIES);
  expect(json.repeats).toEqual({});
});
