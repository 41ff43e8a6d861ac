import type { Figures } from "../hop/figures.ts";
import { runMillrace } from "../hop/millrace.ts";
import type { Bench } from "../row.ts";
import { inFolder } from "./in-folder.ts";

/** The chain of `bench/hop`, once for all rows that compare with it. */
export function ourHops(bench: Bench): Promise<Figures> {
  const items = bench.quick ? 300_000 : 3_000_000;
  return bench.once("our hops", () =>
    inFolder(bench.folder, (folder) => runMillrace(items, folder, bench.repository)),
  );
}
