import { test } from "vitest";
import { FakeDisk } from "../support/fake-disk.ts";
import { scanSegment } from "../../src/streams/engines/segment-scan.ts";
import { outing } from "./power-cuts.ts";
test("x", async () => {
  const dump = async (d: FakeDisk, what: string) => {
    const c = d.cutAfter; d.cutAfter = Infinity;
    const names = (await d.list("/run/log")).sort(); d.cutAfter = c;
    console.log(what, names.map((n, i) => { const b = d.bytesOf("/run/log/" + n); const s = scanSegment(b, i === names.length - 1); return `${n} ${b.length} end ${s.end} recs ${s.records.map((r) => r.lsn + "/" + r.group + (((r.head as any).v ? "m" : "")))} holes ${JSON.stringify(s.holes)}`; }));
  };
  const on = FakeDisk.prototype.powerOn;
  FakeDisk.prototype.powerOn = function () { void dump(this, "before cut"); on.call(this); void dump(this, "after cut"); };
  const o = await outing(Number(process.env.SEED), { sync: true, lives: 4, fillsUp: false });
  console.log(o.problem?.slice(0, 100));
});
