import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";
test("early", { timeout: 150_000 }, async () => {
  for (const ms of [50, 150, 250, 350, 450, 600, 800, 1000]) {
    const project = cliProject({ "m.ts": `
      import { pipeline } from "millrace"; import { note } from "./note.ts";
      const p = pipeline("m");
      p.source("feed", async function* (ctx) { for (let n = 0; ; n++) { yield n; await new Promise((r) => setTimeout(r, 5)); } }).to(p.sink("out", (n: number) => note(n)));
      export default p;` });
    const running = project.start("m.ts");
    await sleep(ms);
    const at = performance.now();
    running.signalAll("SIGINT");
    const { code, signal, stderr } = await running.ended;
    console.log(ms, code, signal, Math.round(performance.now() - at), stderr);
  }
});
