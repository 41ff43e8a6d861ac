import { join } from "node:path";
import { startRoles } from "../roles.ts";
import { type Bench, count, type Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";

interface Drained {
  /** Items a second, all of them taken. */
  readonly rate: number;
  /** The streams process's memory when all wait, and when the last is taken. */
  readonly full: number;
  readonly empty: number;
}

async function drain(bench: Bench, waiting: number): Promise<Drained> {
  return await inFolder(bench.folder, async (folder) => {
    const socket = join(folder, "s");
    const roles = await startRoles("rows/raw-roles.mjs", [
      { role: "server", args: [socket, join(folder, "log")] },
      { role: "producer", args: [socket, waiting] },
      { role: "consumer", args: [socket, "first", "-", waiting] },
    ]);
    try {
      await roles.go("producer");
      const full = (await roles.go("server")) as number;
      const began = Date.now();
      const ended = (await roles.go("consumer")) as number;
      const empty = (await roles.go("server")) as number;
      return { rate: (waiting / (ended - began)) * 1_000, full, empty };
    } finally {
      await roles.close();
    }
  });
}

export const backlog: Row = {
  name: "backlog",
  what: "rate at which a long backlog is worked off",
  peer: "a short one (quick: 1 M against 100 k; else 10 M against 500 k)",
  better: "more",
  floor: 0.8,
  aim: 0.9,
  format: (value) => value.toFixed(2),
  async measure(bench) {
    const [few, many] = bench.quick ? [100_000, 1_000_000] : [500_000, 10_000_000];
    const short = await drain(bench, few);
    const long = await drain(bench, many);
    const of = ({ rate, full, empty }: Drained, waiting: number): string =>
      `${count(rate)}/s of ${count(waiting)} (${Math.round(full / 1e6)} MB, then ${Math.round(empty / 1e6)} MB)`;
    return { value: long.rate / short.rate, text: `${of(long, many)} to ${of(short, few)}` };
  },
};
