import { startRoles } from "../roles.ts";
import type { Row } from "../row.ts";
import { spread } from "../spread.ts";
import { inFolder } from "./in-folder.ts";

export const instanceStart: Row = {
  name: "start",
  what: "one more instance of a stage, `handle.scale` → its setup is done",
  peer: "a bare fork has 77 ms",
  better: "less",
  floor: 150,
  aim: 100,
  format: (value) => `${value.toFixed(0)} ms`,
  async measure(bench) {
    const seen = await inFolder(bench.folder, async (folder) => {
      const args = [bench.repository, folder, bench.quick ? 3 : 10];
      const roles = await startRoles("rows/push-roles.mjs", [{ role: "starter", args }]);
      try {
        return (await roles.go("starter")) as number[];
      } finally {
        await roles.close();
      }
    });
    const { min, median, max } = spread(seen);
    return { value: median, text: `${min.toFixed(0)} to ${max.toFixed(0)} ms` };
  },
};
