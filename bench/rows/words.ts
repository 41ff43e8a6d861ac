import { textFile } from "../jobs/text-file.ts";
import type { Summary } from "../jobs/totals.ts";
import { bullmqWords, type Counted, ourWords, piscinaWords } from "../jobs/words.ts";
import type { Row } from "../row.ts";

export const words: Row = {
  name: "words",
  what: "words of 100 MB counted by a job in two instances, tasks name ranges",
  peer: "piscina, two threads, the best of four sizes of task",
  better: "more",
  floor: 0.95,
  aim: 1,
  format: (value) => value.toFixed(2),
  async measure(bench) {
    const bytes = bench.quick ? 20_000_000 : 100_000_000;
    const text = { path: textFile(bench.folder, bytes), bytes };
    const ours = await ourWords(bench, text, "ranges");
    const theirs = await piscinaWords(text, "ranges");
    const bullmq = await bullmqWords(bench, text);
    const oursShipped = await ourWords(bench, text, "pieces");
    const theirsShipped = await piscinaWords(text, "pieces");
    for (const each of [theirs, bullmq, oursShipped, theirsShipped]) mustEqual(ours, each);
    return {
      value: theirs.ms / ours.ms,
      text:
        `${s(ours.ms)} to ${s(theirs.ms)} (tasks of ${theirs.chunk / 1024} KiB), with start and end ${whole(ours)} to ${whole(theirs)}; ` +
        `the text itself as tasks ${s(oursShipped.ms)} to ${s(theirsShipped.ms)}; BullMQ by ranges ${s(bullmq.ms)}`,
    };
  },
};

const s = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
const whole = ({ wholeMs, cpu }: Counted): string => `${s(wholeMs)} (${cpu?.toFixed(1)} s CPU)`;

function mustEqual(one: Summary, other: Summary): void {
  if (one.words === other.words && one.distinct === other.distinct && one.check === other.check) return;
  throw new Error(
    `the totals differ: ${one.words} words, ${one.distinct} distinct, and ${other.words}, ${other.distinct}`,
  );
}
