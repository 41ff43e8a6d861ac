import { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";
import { ItemDecoder, ItemEncoder } from "../../src/wire/item-codec.ts";
import type { Item } from "../hop/item.ts";

/** How items become messages. */
export interface Packing {
  /** Takes an item; gives a message when one is full. */
  add(item: Item): Buffer | undefined;
  /** The rest. */
  flush(): Buffer | undefined;
  /** The items of a message, one after the other. */
  each(message: Buffer, use: (item: Item) => void): void;
}

/** Frames as millrace has them, with the same codec; `most` items in each, or as many as go into one. */
function frames(most: number): Packing {
  const builder = new FrameBuilder();
  const encoder = new ItemEncoder();
  const decoder = new ItemDecoder();
  const close = () => (builder.count === 0 ? undefined : builder.close(ORIGIN, 0, 0, encoder.table));
  return {
    add(item) {
      const bytes = encoder.encode(item);
      const full = builder.count >= most || builder.isFullFor(bytes.byteLength) ? close() : undefined;
      builder.add(bytes);
      return full;
    },
    flush: close,
    each(message, use) {
      const { table, starts, payload, count } = Frame.parse(message);
      const decode = decoder.for(table);
      for (let i = 0; i < count; i++)
        use(decode(payload, starts[i] as number, starts[i + 1] as number) as Item);
    },
  };
}

const ORIGIN = Buffer.alloc(16);

/** What most programs do: one message an item, as JSON. */
const single: Packing = {
  add: (item) => Buffer.from(JSON.stringify(item)),
  flush: () => undefined,
  each: (message, use) => use(JSON.parse(message.toString()) as Item),
};

export const PACKINGS: Readonly<Record<string, () => Packing>> = {
  single: () => single,
  hundreds: () => frames(100),
  full: () => frames(Number.POSITIVE_INFINITY),
};
