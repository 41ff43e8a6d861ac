import type { Row } from "../row.ts";
import { measureIdle } from "../startup/measure.ts";
import { inFolder } from "./in-folder.ts";

export const idleMemory: Row = {
  name: "memory",
  what: "private memory of an idle instance, the largest of three",
  peer: "a bare fork has 8 MB",
  better: "less",
  floor: 20,
  aim: 12,
  format: (value) => `${value.toFixed(1)} MB`,
  async measure(bench) {
    const processes = await inFolder(bench.folder, (folder) => measureIdle(bench.repository, folder));
    const sizes = processes
      .filter(([what]) => what.includes("instance/main.js"))
      .map(([, bytes]) => bytes / 1e6);
    return { value: Math.max(...sizes), text: sizes.map((size) => `${size.toFixed(1)} MB`).join(", ") };
  },
};
