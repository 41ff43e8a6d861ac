import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { start } from "millrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../src/cli/doctor-check.ts";
import type { ListedRun } from "../../src/run/list-runs.ts";
import type { Certificates } from "../support/certificates.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import { freePort } from "../support/free-port.ts";
import { startNats } from "../support/nats.ts";
import { descendants } from "../support/process-tree.ts";
import { startRabbitmq } from "../support/rabbitmq.ts";
import { startRedis } from "../support/redis.ts";
import type { RunningServer } from "../support/server-process.ts";
import { isMissing } from "../support/server-program.ts";

const SOON = { timeout: 20_000 };
const PASSWORD = "pass-word-of-the-test";
const users = { orders: PASSWORD };
const WORD_COUNT = fileURLToPath(new URL("../../examples/word-count/word-count.ts", import.meta.url));

type Server = RunningServer & {
  restart(): Promise<Server>;
  readonly certificates: Certificates | undefined;
};

interface Engine {
  readonly name: string;
  readonly program: string;
  readonly says: RegExp;
  start(): Promise<Server>;
  startTls(): Promise<Server>;
}

const ENGINES: readonly Engine[] = [
  {
    name: "Redis",
    program: "redis-server",
    says: /Redis \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+ answers .*ioredis \d/,
    start: () => startRedis({ password: PASSWORD, appendfsync: "always" }),
    startTls: () => startRedis({ tls: true }),
  },
  {
    name: "NATS",
    program: "nats-server",
    says: /NATS \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+ answers .*transport-node \d/,
    start: () => startNats({ users }),
    startTls: () => startNats({ tls: true }),
  },
  {
    name: "RabbitMQ",
    program: "rabbitmq-server",
    says: /RabbitMQ \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+ answers .*amqplib \d/,
    start: () => startRabbitmq({ users }),
    startTls: () => startRabbitmq({ tls: true }),
  },
];

/** Slow enough to be caught in the middle, and each item leaves its mark. */
const SLOWLY = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("slowly");
  p.source("feed", async function* () {
    for (let n = 0; n < 1_000; n++) {
      yield n;
      if (n % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }).to(p.stage("double", (n: number) => 2 * n)).to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

const PICKY = `
  import { existsSync } from "node:fs";
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("picky");
  p.source("feed", function* () { for (let n = 0; n < 10; n++) yield n; })
    .to(p.stage("check", (n: number) => {
      if (n % 5 === 0 && !existsSync("mended")) throw new Error("not yet");
      return n;
    }, { retry: { attempts: 1 } }))
    .to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

describe.each(ENGINES.map((engine) => [engine.name, engine] as const))("%s", (_name, engine) => {
  describe.skipIf(isMissing(engine.program))("carries runs", () => {
    let server: Server;
    beforeAll(async () => {
      server = await engine.start();
    });
    afterAll(() => server?.stop());

    test("word-count: the totals are those of coreutils, by another URL alone", async () => {
      const project = cliProject({});
      const texts = project.path("texts");
      mkdirSync(texts);
      for (let file = 0; file < 20; file++)
        writeFileSync(
          join(texts, `${file}.txt`),
          `${"the Cat saw the hat\n".repeat(5_000)}word${"x".repeat(file)}`,
        );
      const out = project.path("totals.tsv");
      const args = ["run", WORD_COUNT, "--param", `folder=${texts}`, "--param", `out=${out}`, "--json"];

      const run = await project.millrace([...args, "--data", project.data], {
        env: { MILLRACE_STREAMS: server.url },
      });

      expect(run.stderr).not.toMatch(/MR_|are left/);
      expect(run.json).toMatchObject({ status: "completed", repeats: {} });
      expect(readFileSync(out, "utf8")).toBe(countByCoreutils(texts));
    });

    test("killed in the middle and back after seconds: the run says so once, waits, and completes with each item once", async () => {
      const project = cliProject({ "slowly.ts": SLOWLY });
      const run = project.start("slowly.ts", [], {
        env: { MILLRACE_STREAMS: server.url },
        timeoutMs: 150_000,
      });
      await run.until(() => project.notes("notes").length > 100);

      await server.kill();
      const trouble = await troubleOf(project);
      expect(trouble).toMatchObject({
        what: expect.stringContaining("127.0.0.1"),
        forMs: expect.any(Number),
      });
      expect(await status(project)).toMatch(/slowly running, .*127\.0\.0\.1.*, for \d+ s/);
      await sleep(4_000);
      server = await server.restart();
      const { json, stderr, code } = await run.ended;

      expect(code, stderr).toBe(0);
      expect(json.status).toBe("completed");
      expect(unsettled(json)).toEqual({});
      expect(project.notes<number>().sort((a, b) => a - b)).toEqual(
        Array.from({ length: 1_000 }, (_, n) => 2 * n),
      );
      expect(stderr.match(/the run waits for it/g), stderr).toHaveLength(1);
      expect(stderr.match(/the broker is back after \d+ s/g), stderr).toHaveLength(1);
      expect(stderr).not.toContain(PASSWORD);
    });

    test("a password reaches no argument of a process, no environment of user code, no file and no message", async () => {
      const project = cliProject({ "slowly.ts": SLOWLY });
      const run = project.start("slowly.ts", [], { env: { MILLRACE_STREAMS: server.url } });
      await run.until(() => project.notes("notes").length > 0);

      const children = descendants(run.pid);
      expect(children.length).toBeGreaterThanOrEqual(4);
      for (const pid of children)
        expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(PASSWORD);
      const instances = children
        .map((pid) => readFileSync(`/proc/${pid}/environ`, "utf8"))
        .filter((environment) => environment.includes("MILLRACE_STAGE="));
      expect(instances.length).toBeGreaterThanOrEqual(3);
      for (const environment of instances) expect(environment).not.toContain(PASSWORD);
      const shown = await project.millrace(["status", "--json", "--data", project.data]);
      run.signal("SIGINT");
      const { stderr, stdout } = await run.ended;

      expect(`${shown.stdout}${stdout}${stderr}`).not.toContain(PASSWORD);
      expect(() => execFileSync("grep", ["-rl", PASSWORD, project.data])).toThrow();
    });

    test("nobody there, a wrong password and options that it does not have are told apart, at once", async () => {
      const project = cliProject({ "picky.ts": PICKY });
      const tried = async (url: string): Promise<{ code: number | null; stderr: string }> => {
        const { code, stderr } = await project.millrace([
          "run",
          "picky.ts",
          "--data",
          project.data,
          "--streams",
          url,
        ]);
        expect(stderr).not.toContain(PASSWORD);
        return { code, stderr };
      };
      const nobody = new URL(server.url);
      nobody.port = String(await freePort());
      const intruder = server.url.replace(PASSWORD, "guessed");

      const unreachable = await tried(nobody.href);
      expect(unreachable).toMatchObject({
        code: 6,
        stderr: expect.stringContaining("error MR_ENGINE_UNREACHABLE"),
      });
      expect(unreachable.stderr).toMatch(/ECONNREFUSED|connection refused/);
      const refused = await tried(intruder);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("error MR_ENGINE_REFUSED") });
      expect(refused.stderr).not.toContain("guessed");
      expect(await tried(`${server.url}?colour=blue`)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("colour"),
      });
      // None of them has begun a run that would stand in the way of the right one.
      expect(await tried(server.url)).toMatchObject({ code: 8 });
    });

    test("a stopped run goes on where its items are, its dead letters are replayed; elsewhere it is refused", async () => {
      const project = cliProject({ "picky.ts": PICKY });
      const settings = { env: { MILLRACE_STREAMS: server.url } };
      expect(await project.run("picky.ts", [], settings)).toMatchObject({ code: 8 });
      expect(project.notes<number>().sort()).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
      project.write("mended", "");

      const back = ["dead", "replay", "picky", "--all", "--no-run", "--data", project.data];
      expect(await project.millrace(back)).toMatchObject({ code: 0 });
      const elsewhere = await project.run("picky.ts", ["--streams", "file:"]);
      expect(elsewhere).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/its items lie in \w+:\/\/127/),
      });

      expect(await project.run("picky.ts", [], settings)).toMatchObject({ code: 0 });
      expect(project.notes<number>().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    test("doctor says who it is and what it promises, and who does not let us in", async () => {
      const project = cliProject({});
      const examined = async (url: string): Promise<{ code: number | null; of: Record<string, Check> }> => {
        const { code, stdout } = await project.millrace([
          "doctor",
          "--json",
          "--data",
          project.data,
          "--streams",
          url,
        ]);
        expect(stdout).not.toContain(PASSWORD);
        const { checks } = JSON.parse(stdout) as { checks: Check[] };
        return { code, of: Object.fromEntries(checks.map((check) => [check.name, check])) };
      };

      const well = await examined(server.url);
      expect(well.code).toBe(0);
      expect(well.of.streams).toMatchObject({ status: "ok", detail: expect.stringMatching(engine.says) });
      expect(well.of.queue).toMatchObject({ status: "ok", detail: expect.stringMatching(/confirmed in \d/) });
      expect(well.of.promise?.detail).toContain("what the server has confirmed survives");
      expect(well.of).not.toHaveProperty("size");

      const refused = await examined(server.url.replace(PASSWORD, "guessed"));
      expect(refused.code).toBe(5);
      expect(refused.of.streams).toMatchObject({ status: "fail" });
    });
  });

  test.skipIf(isMissing(engine.program, "openssl"))(
    "over TLS: with its authority, and not with another",
    async () => {
      const server = await engine.startTls();
      try {
        const project = cliProject({ "picky.ts": PICKY, mended: "" });
        const { ca = "", otherCa = "" } = server.certificates ?? {};
        const tried = (env: Record<string, string>) =>
          project.run("picky.ts", ["--streams", server.url], { env });

        for (const env of [{}, { MILLRACE_TLS_CA: otherCa }]) {
          const { code, stderr } = await tried(env);
          expect({ code, stderr }).toMatchObject({
            code: 5,
            stderr: expect.stringContaining("MR_ENGINE_REFUSED"),
          });
          expect(stderr).toMatch(/certificate/);
        }
        expect(await tried({ MILLRACE_TLS_CA: ca })).toMatchObject({ code: 0 });
      } finally {
        await server.stop();
      }
    },
  );
});

test.skipIf(isMissing("rabbitmq-server"))(
  "RabbitMQ with a memory alarm: the run says so, waits, and goes on when it is over",
  async () => {
    const server = await startRabbitmq();
    try {
      const project = cliProject({ "slowly.ts": SLOWLY });
      const run = project.start("slowly.ts", ["--streams", server.url]);
      await run.until(() => project.notes("notes").length > 100);

      await server.raiseAlarm("memory");
      expect(await troubleOf(project)).toMatchObject({ what: expect.stringContaining("memory") });
      const doctor = await project.millrace(["doctor", "--data", project.data, "--streams", server.url]);
      expect(doctor.stdout).toMatch(/^fail +queue +low on memory/m);
      expect(await server.control("list_queues", "name")).not.toContain("doctor");
      await server.clearAlarm("memory");
      const { json, stderr } = await run.ended;

      expect(json).toMatchObject({ status: "completed", stages: { out: { completed: 1_000 } } });
      expect(stderr).toMatch(/takes nothing at present \(.*memory/);
      expect(stderr).toMatch(/the broker is back after \d+ s/);
    } finally {
      await server.stop();
    }
  },
);

test.skipIf(isMissing("redis-server"))("a handle tells what its run waits for, too", async () => {
  let server = await startRedis();
  try {
    const project = cliProject({
      "feed.ts": `
        import { pipeline, push } from "millrace";
        const p = pipeline("feed");
        p.source("in", push()).to(p.sink("out", () => undefined));
        export default p;
      `,
    });
    const handle = await start(pathToFileURL(project.path("feed.ts")), {
      data: project.data,
      streams: server.url,
    });
    expect(await handle.status()).not.toHaveProperty("trouble");
    await server.kill();
    await expect
      .poll(() => handle.status(), SOON)
      .toMatchObject({ trouble: { what: expect.stringContaining("127.0.0.1"), forMs: expect.any(Number) } });
    server = await server.restart();
    await expect.poll(() => handle.status(), SOON).not.toHaveProperty("trouble");
    await handle.close("in");
    expect(await handle.done).toMatchObject({ status: "completed" });
  } finally {
    await server.stop();
  }
});

test.skipIf(isMissing("rabbitmq-server"))("RabbitMQ: a vhost that is not there", async () => {
  const server = await startRabbitmq();
  try {
    const project = cliProject({ "picky.ts": PICKY });
    const url = `${server.url.replace(/\/[^/]*$/, "")}/nowhere`;
    const { code, stderr } = await project.run("picky.ts", ["--streams", url]);

    expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining("nowhere") });
  } finally {
    await server.stop();
  }
});

async function listed(project: CliProject): Promise<ListedRun | undefined> {
  const { stdout } = await project.millrace(["status", "--json", "--data", project.data]);
  return (JSON.parse(stdout) as ListedRun[])[0];
}

async function troubleOf(project: CliProject): Promise<ListedRun["trouble"]> {
  for (;;) {
    const trouble = (await listed(project))?.trouble;
    if (trouble !== undefined) return trouble;
    await sleep(50);
  }
}

async function status(project: CliProject): Promise<string> {
  return (await project.millrace(["status", "--data", project.data])).stdout;
}

/** `COUNT\tWORD` lines, most frequent first, by tr, sort and uniq. */
function countByCoreutils(texts: string): string {
  const script = `for f in *.txt; do cat "$f"; echo; done | tr -cs 'A-Za-z' '\\n' | tr 'A-Z' 'a-z' | grep . | sort |
    uniq -c | awk '{ print $1 "\\t" $2 }' | sort -k1,1nr -k2,2`;
  return execFileSync("bash", ["-o", "pipefail", "-c", script], {
    cwd: texts,
    env: { ...process.env, LC_ALL: "C" },
    encoding: "utf8",
  });
}
