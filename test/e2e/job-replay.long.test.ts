import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

test("a skipped task that is replayed takes its place in the result, each time, in a list and in folds", {
  timeout: 120_000,
}, async () => {
  const project = cliProject({
    "job.ts": `
      import { existsSync } from "node:fs";
      import { job } from "millrace";
      const options = {
        process: (line: string) => {
          if (Number(line) % 3 === 0 && !existsSync("fixed")) throw new Error("three");
          return line;
        },
        concurrency: 2,
        retry: { attempts: 1 },
        onTaskFailure: "skip",
      } as const;
      export const list = job("list", options);
      const fold = (ordered: boolean) => ({
        init: { all: "" },
        add: (acc: { all: string }, line: string, index: number) => {
          acc.all += \` \${index}:\${line}\`;
        },
        finish: (acc: { all: string }) => (acc.all += " end"),
        ordered,
      });
      export const fold1 = job("fold1", { ...options, combine: fold(true) });
      export const fold2 = job("fold2", { ...options, combine: fold(false) });`,
    "in.txt": "1\n2\n3\n4\n6\nz\n",
  });
  const run = (name: string) =>
    project.millrace(["run", `job.ts#${name}`, "--input", "in.txt", "-q", "--data", project.data]);
  const replay = (name: string, ...args: string[]) =>
    project.millrace(["dead", "replay", name, "--data", project.data, ...args]);
  const first = await run("list");
  expect(first).toMatchObject({ code: 8, stdout: '["1","2","4","z"]\n' });
  expect((await run("fold1")).stdout).toBe(" 0:1 1:2 3:4 5:z end\n");
  expect((await run("fold2")).code).toBe(8);
  const again = await replay("list", "--limit", "1", "--all");
  expect(again).toMatchObject({ code: 8, stdout: '["1","2","4","z"]\n' });
  project.write("fixed", "");
  expect(await replay("list", "--all", "--limit", "1")).toMatchObject({ code: 8 });
  expect(await replay("list", "--all")).toMatchObject({ code: 0, stdout: '["1","2","3","4","6","z"]\n' });
  const folded = await replay("fold1", "--all");
  expect(folded.code).toBe(0);
  expect(folded.stdout).toMatch(/^ 0:1 1:2 3:4 5:z (?:2:3 4:6|4:6 2:3) end\n$/);
  const other = await replay("fold2", "--all");
  expect(other.stdout.trim().split(" ").sort()).toEqual(["0:1", "1:2", "2:3", "3:4", "4:6", "5:z", "end"]);
});
