/** Ten numbers; `check` refuses the odd ones, and notes how it was called. */
export const ORDERS = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("orders");
  const feed = p.source("feed", {
    setup: () => note("source starts", "starts"),
    *run() { for (let n = 0; n < 10; n++) yield { n }; },
  });
  const broken = (n: number): boolean => n % 2 === 1;
  const check = p.stage("check", (item: { n: number }, ctx) => {
    note([item.n, ctx.item.id, ctx.item.attempt, ctx.item.replay], "calls");
    if (broken(item.n)) throw new RangeError("odd: " + item.n);
    return item;
  }, { retry: { attempts: 2, backoff: { initialMs: 1 } } });
  feed.to(check).to(p.sink("out", (item: { n: number }, ctx) => note(item.n)));
  export default p;
`;

/** A note of `check`. */
export type Call = [n: number, id: string, attempt: number, replay: number];
