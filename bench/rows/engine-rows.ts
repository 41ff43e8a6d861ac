import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BenchServer, EngineBench } from "../engines/engine-bench.ts";
import type { ArrivalReport } from "../hop/arrivals.ts";
import { type Figures, figures } from "../hop/figures.ts";
import { runMillrace } from "../hop/millrace.ts";
import { countProcessorTime, processorTimeOf } from "../processor-time.ts";
import { startRoles } from "../roles.ts";
import { type Bench, count, type Row, times } from "../row.ts";
import { inFolder } from "./in-folder.ts";

/** How the raw client packs items. */
type Packing = "single" | "hundreds" | "full";

/** Messages that a raw consumer may hold. */
const IN_HANDS: Readonly<Record<Packing, number>> = { single: 4_000, hundreds: 500, full: 100 };

interface Side extends Figures {
  /** Processor time of the server, microseconds for an item and a hop. */
  readonly serverPerHop: number | undefined;
}

interface All {
  readonly version: string;
  readonly ours: Side;
  readonly raw: Readonly<Record<Packing, Side>>;
}

/** source → stage → sink over a broker: with its streams there, and by the broker's own client without millrace. */
export function engineRows(engine: EngineBench): readonly Row[] {
  const { name, what } = engine;
  const all = (bench: Bench) => bench.once(`engine ${name}`, () => measureAll(engine, bench));
  return [
    {
      name,
      what: `item-hops/s over ${what}, as a part of the raw client`,
      peer: "the raw client with frames of 100 items, same codec, no millrace",
      better: "more",
      floor: 0.6,
      aim: 0.8,
      format: (value) => value.toFixed(2),
      async measure(bench) {
        const { version, ours, raw } = await all(bench);
        return {
          value: ours.hopsPerSecond / raw.hundreds.hopsPerSecond,
          text: `${version}: ${shown(ours)} to ${shown(raw.hundreds)}`,
        };
      },
    },
    {
      name: `${name}-full`,
      what: "the same",
      peer: "the raw client with frames as large as ours",
      better: "more",
      format: (value) => value.toFixed(2),
      async measure(bench) {
        const { ours, raw } = await all(bench);
        return {
          value: ours.hopsPerSecond / raw.full.hopsPerSecond,
          text: `${shown(ours)} to ${shown(raw.full)}`,
        };
      },
    },
    {
      name: `${name}-single`,
      what: "the same",
      peer: "the raw client, one message of JSON an item",
      better: "more",
      ...engine.single,
      format: times,
      async measure(bench) {
        const { ours, raw } = await all(bench);
        return {
          value: ours.hopsPerSecond / raw.single.hopsPerSecond,
          text: `${shown(ours)} to ${shown(raw.single)}`,
        };
      },
    },
  ];
}

function shown({ hopsPerSecond, cpuPerHop, serverPerHop }: Side): string {
  const [clients, server] = [cpuPerHop, serverPerHop].map((time) => time?.toFixed(2) ?? "?");
  return `${count(hopsPerSecond)}/s (CPU: clients ${clients} µs, server ${server} µs)`;
}

function measureAll(engine: EngineBench, { folder, repository, quick }: Bench): Promise<All> {
  return inFolder(folder, async (own) => {
    const server = await engine.start(own);
    try {
      const side = async (run: () => Promise<Figures>): Promise<Side> => {
        const before = processorTimeOf(server.pid);
        const result = await run();
        const after = processorTimeOf(server.pid);
        const used = before === undefined || after === undefined ? undefined : after - before;
        return { ...result, serverPerHop: used && (used * 1e6) / (result.items * 2) };
      };
      const raw = (packing: Packing, items: number) => side(() => runRaw(engine, server, packing, items));
      const many = quick ? 200_000 : 1_000_000;
      const data = join(own, "ours");
      mkdirSync(data);
      return {
        version: server.version,
        ours: await side(() => runMillrace(many, data, repository, server)),
        raw: {
          hundreds: await raw("hundreds", many),
          full: await raw("full", many),
          single: await raw("single", quick ? 20_000 : 150_000),
        },
      };
    } finally {
      await server.stop();
    }
  });
}

async function runRaw(
  engine: EngineBench,
  { url, pid }: BenchServer,
  packing: Packing,
  items: number,
): Promise<Figures> {
  const cpu = countProcessorTime(pid);
  const args = [url, packing, items, IN_HANDS[packing]];
  const roles = await startRoles(
    engine.roles,
    ["source", "stage", "sink"].map((role) => ({ role, args })),
  );
  let firstAt: number;
  let arrived: ArrivalReport;
  try {
    const last = roles.go("sink");
    await roles.go("stage");
    [firstAt, arrived] = (await Promise.all([roles.go("source"), last])) as [number, ArrivalReport];
  } finally {
    await roles.close();
  }
  return figures(items, firstAt, arrived, cpu.stop());
}
