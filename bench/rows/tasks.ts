import { ourTasks } from "../jobs/noop.ts";
import { count, type Row } from "../row.ts";
import { withRedisRoles } from "./with-redis.ts";

export const tasks: Row = {
  name: "tasks",
  what: "tiny tasks/s of a job, whole command, fsync, results combined",
  peer: "a figure; BullMQ beside it, concurrency 100, addBulk, results collected",
  better: "more",
  floor: 100_000,
  aim: 200_000,
  format: (value) => `${count(value)}/s`,
  async measure(bench) {
    const ours = await ourTasks(bench);
    const total = bench.quick ? 10_000 : 60_000;
    const ms = await withRedisRoles(
      bench.folder,
      "jobs/bullmq-roles.mjs",
      ({ port }) => [
        { role: "noopWorker", args: [port] },
        { role: "noopCaller", args: [port, total] },
      ],
      async (roles) => (await roles.go("noopCaller")) as number,
    );
    return {
      value: ours.whole,
      text: `${count(ours.work)}/s without start and end; BullMQ ${count((total / ms) * 1_000)}/s without them`,
    };
  },
};
