/** A push source and a sink that counts. Run by `push-roles.ts`. */
import { writeFileSync } from "node:fs";
import { pipeline, push } from "millrace";
import type { Item } from "../hop/item.ts";
import { params } from "./params.ts";

const p = pipeline("pushed", { params });

p.source("feed", push<Item>()).to(
  p.sink("sink", {
    // n.b. one more than it is told of: the item by which the pusher sees that the run works.
    setup: (ctx) => ({ left: ctx.params.items + 1, through: 0, out: ctx.params.out }),
    run(_item: Item, { state }) {
      if (--state.left === 0) state.through = Date.now();
    },
    teardown: ({ through, out }) => writeFileSync(out, JSON.stringify({ through })),
  }),
);

export default p;
