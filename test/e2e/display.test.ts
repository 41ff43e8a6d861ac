import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
import { startOnTerminal } from "../support/terminal-cli.ts";

const LIMIT = { timeout: 90_000 };

/** Two items are bad; the source says how far it is, talks all the while, and goes on until it is drained. */
const ORDERS = `
  import { pipeline } from "millrace";
  const p = pipeline("orders");
  const feed = p.source("feed", async function* (ctx) {
    for (let n = 1; !ctx.signal.aborted; n++) {
      yield n;
      ctx.progress(n, 100_000);
      if (n <= 40) console.log(\`feed prints \${n} \${"=".repeat(40)}.\`);
      if (n === 20) ctx.log.warn({ n }, "feed warns");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  const check = p.stage("check", (n: number) => { if (n < 3) throw new Error("bad"); return n; },
    { retry: { attempts: 2, backoff: { initialMs: 10 } } });
  feed.to(check).to(p.sink("ledger", () => {}));
  export default p;
`;

test(
  "on a terminal: a table that is repainted, whole lines above it, a summary that stays; Ctrl-C drains",
  LIMIT,
  async () => {
    const { folder } = cliProject({ "orders.ts": ORDERS });
    const running = startOnTerminal(["run", "orders.ts"], { cwd: folder, columns: 80, rows: 24 });
    const { screen } = running;
    await running.until(({ text }) => /^check .* 2$/m.test(text) && text.includes("feed prints 40"));
    expect(screen.text).toMatch(
      /^orders · running · \d+ s.*\nstage +in +out +waiting +per s +drains in +instances +retried +dead\nfeed .*\ncheck .*\nledger .*\n█*░+ +0 % {2}feed \d+ of 100,000$/m,
    );
    running.type("\u0003");

    expect(await running.ended, screen.text).toBe(130);
    const lines = screen.text.split("\n").map((line) => line.replaceAll("^C", ""));
    const printed = lines.filter((line) => line.startsWith("feed prints"));
    expect(printed).toEqual(Array.from({ length: 40 }, (_, i) => `feed prints ${i + 1} ${"=".repeat(40)}.`));
    expect(lines.filter((line) => line === 'warn feed: feed warns {"n":20}')).toHaveLength(1);
    expect(lines.filter((line) => /^stopping: draining.*Ctrl-C again/.test(line))).toHaveLength(1);
    // What was repainted is gone; what is left at the end is the summary.
    expect(screen.text).not.toMatch(/waiting|░/);
    expect(screen.text).toMatch(
      /^orders stopped in .*\nstage +accepted +completed .*\nfeed .*\ncheck .* 2 .*\nledger .*\n(?:.* not settled yet, kept\n)*2 dead letters: millrace dead list orders --run \S+\ndata: \.millrace\/orders\/.*\nthe same command resumes this run: millrace run orders\.ts$/m,
    );
    expect(running.raw).toContain("\u001b[31m");
    expect({ cursor: screen.isCursorShown, colours: [...screen.marks], wrapped: screen.wrapped }).toEqual({
      cursor: true,
      colours: [],
      wrapped: [],
    });
  },
);

test(
  "a narrow terminal, one without colours, a dumb one, and quiet: each gets what it can show",
  LIMIT,
  async () => {
    const bounded = ORDERS.replace("!ctx.signal.aborted", "n <= 100");
    const { folder, data, millrace } = cliProject({ "orders.ts": bounded.replace("n <= 40", "n === 1") });
    const on = (name: string, columns: number, env: Record<string, string>, ...flags: string[]) =>
      startOnTerminal(["run", "orders.ts", "--data", `${data}-${name}`, ...flags], {
        cwd: folder,
        columns,
        rows: 24,
        env,
      });
    const narrow = on("narrow", 40, { NO_COLOR: "1" });
    const dumb = on("dumb", 80, { TERM: "dumb" });
    await narrow.until(({ text }) => text.includes("stage ") && text.includes("░"));
    const [codes, quiet] = await Promise.all([
      Promise.all([narrow.ended, dumb.ended]),
      millrace(["run", "orders.ts", "--data", `${data}-quiet`, "--quiet"]),
    ]);

    expect(codes, narrow.screen.text + dumb.screen.text).toEqual([8, 8]);
    expect(narrow.raw).toContain("\u001b[1A");
    expect(narrow.raw).not.toMatch(/\[(?:1|2|31|33)m/);
    expect(narrow.screen.text).not.toContain("░");
    expect(dumb.raw).not.toContain("\u001b");
    expect(dumb.screen.text).toMatch(/^orders completed in/m);
    expect({ code: quiet.code, stderr: quiet.stderr }).toEqual({ code: 8, stderr: "" });
    expect(quiet.stdout).toMatch(/^feed prints 1 =+\.\n$/);
  },
);
