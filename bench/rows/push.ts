import { startRoles } from "../roles.ts";
import { count, type Row, times } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { withBullmq } from "./with-redis.ts";

const OUTSTANDING = 500;

export const push: Row = {
  name: "push",
  what: `items pushed one by one, ${OUTSTANDING} outstanding`,
  peer: "BullMQ `add`",
  better: "more",
  floor: 20,
  aim: 50,
  format: times,
  async measure(bench) {
    const ours = await inFolder(bench.folder, async (folder) => {
      const items = bench.quick ? 100_000 : 500_000;
      const args = [bench.repository, folder, items, OUTSTANDING];
      const roles = await startRoles("rows/push-roles.mjs", [{ role: "pusher", args }]);
      try {
        return (await roles.go("pusher")) as number;
      } finally {
        await roles.close();
      }
    });
    const items = bench.quick ? 10_000 : 50_000;
    const theirs = await withBullmq(
      bench.folder,
      ({ port }) => [{ role: "pusher", args: [port, items, OUTSTANDING] }],
      async (roles) => (await roles.go("pusher")) as number,
    );
    return { value: ours / theirs, text: `${count(ours)}/s to ${count(theirs)}/s` };
  },
};
