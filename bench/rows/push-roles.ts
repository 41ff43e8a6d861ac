/** Programs that push: one process each, beside the run that they have started. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Millrace from "millrace";
import { makeItem } from "../hop/item.ts";
import { type Part, playRole } from "../play-role.ts";
import { latencies } from "./latencies.ts";

async function started(repository: string, folder: string, items: string): Promise<Millrace.Handle> {
  const { start } = (await import(join(repository, "dist/index.js"))) as typeof Millrace;
  const module = pathToFileURL(join(repository, "bench/rows/push-pipeline.ts"));
  const handle = await start(module, {
    params: { items: Number(items), out: join(folder, "out.json") },
    data: join(folder, "data"),
  });
  // Its processes are there when an item has gone through, as BullMQ's roles wait until they are connected.
  await handle.push("feed", { sentAt: latencies.now() });
  while ((await handle.status()).stages.sink?.completed !== 1) await pause(10);
  return handle;
}

/** Pushes items one by one, so many outstanding; reports items a second until the last was durable. */
async function pusher([repository = "", folder = "", items = "", outstanding = ""]: string[]): Promise<Part> {
  const handle = await started(repository, folder, items);
  return {
    async work() {
      const total = Number(items);
      let next = 0;
      const began = performance.now();
      const lane = async (): Promise<void> => {
        while (next < total) await handle.push("feed", { ...makeItem(next++), sentAt: 0 });
      };
      await Promise.all(Array.from({ length: Number(outstanding) }, lane));
      return (total / (performance.now() - began)) * 1_000;
    },
    close: () => finished(handle, Number(items) + 1),
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

await playRole({ pusher, prober, starter });
