/** What travels: about 200 bytes as JSON, the shape of an ordinary event record. */
export interface Item {
  readonly id: number;
  readonly ts: number;
  readonly user: string;
  readonly type: string;
  readonly url: string;
  readonly price: number;
  readonly tags: readonly [string, string];
  readonly ok: boolean;
  readonly note: string;
}

const TYPES = ["view", "search", "basket", "order", "refund"] as const;
const TAGS = ["mobile", "desktop", "spring", "sale", "new", "returning", "partner"] as const;
const NOTES = [
  "left at the door",
  "gift, no invoice",
  "call before delivery",
  "second attempt today",
] as const;

/** The item with that number: the same on every call, so that both systems carry the same bytes. */
export function makeItem(id: number): Item {
  return {
    id,
    ts: 1_750_000_000_000 + id * 7,
    user: `user-${(id * 7_919) % 1_000_003}`,
    type: TYPES[id % TYPES.length] as string,
    url: `https://shop.example/c/${id % 97}/p/${(id * 31) % 100_003}?ref=letter`,
    price: priceOf(id),
    tags: [TAGS[id % TAGS.length] as string, TAGS[(id + 3) % TAGS.length] as string],
    ok: id % 11 !== 0,
    note: NOTES[id % NOTES.length] as string,
  };
}

/** What the stage in the middle does to an item, in both systems. */
export function addTax(item: Item): Item {
  return { ...item, price: item.price + 7 };
}

/** Price in cents. */
function priceOf(id: number): number {
  return 100 + ((id * 13) % 99_900);
}

/** The sum of all prices that must arrive at the end. */
export function expectedTotal(items: number): number {
  let total = 0;
  for (let id = 0; id < items; id++) total += priceOf(id) + 7;
  return total;
}

/** Mean length of an item as JSON, in bytes. */
export function itemBytes(sample = 1_000): number {
  let bytes = 0;
  for (let id = 0; id < sample; id++) bytes += Buffer.byteLength(JSON.stringify(makeItem(id * 101)));
  return Math.round(bytes / sample);
}
