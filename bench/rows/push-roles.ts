/** Programs that push: one process each, beside the run that they have started. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Millrace from "millrace";
import { makeItem } from "../hop/item.ts";
import { type Part, playRole } from "../play-role.ts";
import { latencies } from "./latencies.ts";
import { pushOneByOne } from "./push-one-by-one.ts";

async function started(
  repository: string,
  folder: string,
  items: string,
  pipeline = "push-pipeline",
): Promise<Millrace.Handle> {
  const { start } = (await import(join(repository, "dist/index.js"))) as typeof Millrace;
  const module = pathToFileURL(join(repository, `bench/rows/${pipeline}.ts`));
  const handle = await start(module, {
    params: { items: Number(items), out: join(folder, "out.json") },
    data: join(folder, "data"),
  });
  // Its processes are there when an item has gone through, as BullMQ's roles wait until they are connected.
  await handle.push("feed", { ...makeItem(0), sentAt: latencies.now() });
  while ((await handle.status()).stages.sink?.completed !== 1) await pause(10);
  return handle;
}

/** Pushes items one by one, so many outstanding, while a sink works them off; reports when the last was through, too. */
async function pusher([repository = "", folder = "", items = "", outstanding = ""]: string[]): Promise<Part> {
  const handle = await started(repository, folder, items, "pushed-pipeline");
  return {
    async work() {
      const pushed = await pushOneByOne(Number(items), Number(outstanding), (id) =>
        handle.push("feed", makeItem(id)),
      );
      await finished(handle, Number(items) + 1);
      return {
        ...pushed,
        ...(JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as { through: number }),
      };
    },
    close: async () => undefined,
  };
}

/** As `pusher`, while the run is paused: nobody takes what is pushed. */
async function lonePusher([
  repository = "",
  folder = "",
  items = "",
  outstanding = "",
]: string[]): Promise<Part> {
  const handle = await started(repository, folder, items, "pushed-pipeline");
  await handle.pause();
  return {
    work: () => pushOneByOne(Number(items), Number(outstanding), (id) => handle.push("feed", makeItem(id))),
    async close() {
      await handle.resume();
      await finished(handle, Number(items) + 1);
    },
  };
}

/** Pushes a lone item every so often; reports how long each took to the sink's function. */
async function prober([repository = "", folder = "", items = "", everyMs = ""]: string[]): Promise<Part> {
  const handle = await started(repository, folder, items);
  return {
    async work() {
      for (let i = 1; i < Number(items); i++) {
        await pause(Number(everyMs));
        await handle.push("feed", { sentAt: latencies.now() });
      }
      await finished(handle, Number(items));
      return JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as number[];
    },
    close: async () => undefined,
  };
}

/** Asks for one more instance at a time; reports how long each took until it worked. */
async function starter([repository = "", folder = "", instances = ""]: string[]): Promise<Part> {
  const handle = await started(repository, folder, "0");
  return {
    async work() {
      const events = handle.events();
      const seen: number[] = [];
      for (let i = 0; i < Number(instances); i++) {
        const began = performance.now();
        await handle.scale("sink", i + 2);
        for await (const event of { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) }) {
          if (event.kind !== "instance-started" || event.instance === "sink.1") continue;
          seen.push(performance.now() - began);
          break;
        }
      }
      return seen;
    },
    close: () => finished(handle, 1),
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function finished(handle: Millrace.Handle, items: number): Promise<void> {
  await handle.close("feed");
  const { status, stages } = await handle.done;
  if (status !== "completed" || stages.sink?.completed !== items)
    throw new Error(`push: ${stages.sink?.completed} of ${items} items arrived`);
}

await playRole({ pusher, lonePusher, prober, starter });
