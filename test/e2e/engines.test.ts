import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
import { startRedis } from "../support/redis.ts";
import { isMissing } from "../support/server-program.ts";

const PLAIN = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("plain");
  p.source("feed", function* () { for (let n = 0; n < 1_000; n++) yield n; })
    .to(p.stage("double", (n: number) => 2 * n, { engine: { queueType: "quorum" } }))
    .to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

test.skipIf(isMissing("redis-server"))(
  "a broker by its URL: the same run, each item once; gone, it is named at once",
  async () => {
    const server = await startRedis({ password: "pass-word-of-the-test" });
    try {
      const project = cliProject({ "plain.ts": PLAIN });
      const settings = { env: { MILLRACE_STREAMS: server.url } };

      const { code, json, stderr } = await project.run("plain.ts", [], settings);
      expect(code, stderr).toBe(0);
      expect(json).toMatchObject({ status: "completed", repeats: {}, stages: { out: { completed: 1_000 } } });
      expect(project.notes()).toHaveLength(1_000);

      await server.kill();
      const gone = await project.run("plain.ts", [], settings);
      expect(gone).toMatchObject({ code: 6, stderr: expect.stringContaining("error MR_ENGINE_UNREACHABLE") });
      expect(gone.stderr).not.toContain("pass-word");
    } finally {
      await server.stop();
    }
  },
);
