import { startRoles } from "../roles.ts";
import { type Bench, count, type Row, times } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import type { Pushed } from "./push-one-by-one.ts";
import { withBullmq } from "./with-redis.ts";

const OUTSTANDING = 500;

/** What both systems are asked for. `through`: when the consumer had the last item. */
interface Side {
  readonly items: number;
  readonly consumed: Pushed & { readonly through: number };
  /** With no consumer. */
  readonly alone: Pushed;
}

async function ours(bench: Bench): Promise<Side> {
  const items = bench.quick ? 200_000 : 1_500_000;
  const push = (role: string): Promise<unknown> =>
    inFolder(bench.folder, async (folder) => {
      const args = [bench.repository, folder, items, OUTSTANDING];
      const roles = await startRoles("rows/push-roles.mjs", [{ role, args }]);
      try {
        return await roles.go(role);
      } finally {
        await roles.close();
      }
    });
  return {
    items,
    consumed: (await push("pusher")) as Side["consumed"],
    alone: (await push("lonePusher")) as Pushed,
  };
}

async function theirs(bench: Bench): Promise<Side> {
  const items = bench.quick ? 20_000 : 60_000;
  const pusher = (port: number) => ({ role: "pusher", args: [port, items, OUTSTANDING] });
  const worker = (port: number) => ({ role: "worker", args: [port, "first", "-", items, 100, 0] });
  return {
    items,
    consumed: await withBullmq(
      bench.folder,
      ({ port }) => [worker(port), pusher(port)],
      async (roles) => {
        const through = roles.go("worker");
        const pushed = (await roles.go("pusher")) as Pushed;
        return { ...pushed, through: (await through) as number };
      },
    ),
    alone: await withBullmq(
      bench.folder,
      ({ port }) => [pusher(port)],
      async (roles) => (await roles.go("pusher")) as Pushed,
    ),
  };
}

const rates = ({ items, consumed, alone }: Side) => ({
  through: (items / (consumed.through - consumed.began)) * 1_000,
  pushed: (items / (consumed.ended - consumed.began)) * 1_000,
  alone: (items / (alone.ended - alone.began)) * 1_000,
});

export const push: Row = {
  name: "push",
  what: `items pushed one by one, ${OUTSTANDING} outstanding, until the consumer has had the last`,
  peer: "BullMQ `add` and a worker",
  better: "more",
  floor: 20,
  aim: 50,
  format: times,
  async measure(bench) {
    const we = rates(await ours(bench));
    const they = rates(await theirs(bench));
    const beside = (which: "pushed" | "alone"): string =>
      `${count(we[which])}/s to ${count(they[which])}/s (${times(we[which] / they[which])})`;
    return {
      value: we.through / they.through,
      text: `${count(we.through)}/s to ${count(they.through)}/s; the pushes alone ${beside("pushed")}; with no consumer on either side ${beside("alone")}`,
    };
  },
};
