import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CorruptionError } from "../../src/errors.ts";
import { buildFrame, Frame, frameItemCount, type ItemMeta, MAX_FRAME_BYTES } from "../../src/wire/frame.ts";
import { FRAME_BYTES, FRAME_ITEMS, FrameBuilder } from "../../src/wire/frame-builder.ts";
import { pickFrames } from "../../src/wire/retry-frames.ts";

interface Given {
  readonly items: readonly Uint8Array[];
  readonly meta: ReadonlyMap<number, ItemMeta>;
  readonly origin: Uint8Array;
  readonly first: number;
  readonly closedAt: number;
  readonly table: Uint8Array;
}

const someMeta: fc.Arbitrary<ItemMeta> = fc.record(
  {
    id: fc.string({ minLength: 1, maxLength: 10 }),
    key: fc.string({ maxLength: 10 }),
    headers: fc.dictionary(
      fc.string({ maxLength: 4 }).filter((k) => k !== "__proto__"),
      fc.string({ maxLength: 4 }),
      { noNullPrototype: true },
    ),
    enqueuedAt: fc.nat(),
    history: fc.array(
      fc.record({
        at: fc.nat(),
        error: fc.record({ name: fc.string(), message: fc.string(), stack: fc.string() }),
      }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);

const given: fc.Arbitrary<Given> = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.option(someMeta, { nil: undefined, freq: 3 })), {
    minLength: 1,
    maxLength: 40,
  })
  .chain((parts) =>
    fc.record({
      items: fc.constant(parts.map(([bytes]) => bytes)),
      meta: fc.constant(
        new Map(
          parts.flatMap(([, meta], i): [number, ItemMeta][] => (meta === undefined ? [] : [[i, meta]])),
        ),
      ),
      origin: fc.uint8Array({ minLength: 12, maxLength: 12 }),
      first: fc.nat({ max: 2 ** 32 - 100_000 }),
      closedAt: fc.double({ noNaN: true }).map((n) => (n === 0 ? 0 : n)),
      table: fc.uint8Array({ maxLength: 20 }),
    }),
  );

function build({ items, meta, origin, first, closedAt, table }: Given): Frame {
  const builder = new FrameBuilder();
  for (const [i, item] of items.entries()) builder.add(item, meta.get(i));
  return Frame.parse(builder.close(origin, first, closedAt, table));
}

function itemsOf(frame: Frame): Buffer[] {
  const { starts } = frame;
  return Array.from({ length: frame.count }, (_, i) => frame.payload.subarray(starts[i], starts[i + 1]));
}

const sample = build({
  items: [Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(200, 5), Buffer.from("four")],
  meta: new Map([[1, { key: "k", headers: { a: "b" } }]]),
  origin: Buffer.from("0123456789ab"),
  first: 17,
  closedAt: 1_700_000_000_000.5,
  table: Buffer.from([0x91, 0x92, 0xa1, 0x61, 0xa1, 0x62]),
}).bytes;

describe("a frame", () => {
  test("gives back what was put in", () => {
    void fc.assert(
      fc.property(given, (parts) => {
        const frame = build(parts);

        expect(itemsOf(frame).map((b) => [...b])).toEqual(parts.items.map((b) => [...b]));
        expect(frame.count).toBe(parts.items.length);
        expect(frameItemCount(frame.bytes)).toBe(parts.items.length);
        expect(frame.origin).toBe(Buffer.from(parts.origin).toString("hex"));
        expect(frame.first).toBe(parts.first);
        expect(frame.closedAt).toBe(parts.closedAt);
        expect([...frame.table]).toEqual([...parts.table]);
        expect(new Map(frame.meta)).toEqual(parts.meta);
        for (let i = 0; i < frame.count; i++) {
          expect(frame.idOf(i)).toBe(parts.meta.get(i)?.id ?? `${frame.origin}-${parts.first + i}`);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("cut to a range keeps its items' bytes, ids and metadata, and can be cut again", () => {
    void fc.assert(
      fc.property(given, fc.nat(), fc.nat(), (parts, a, b) => {
        const frame = build(parts);
        const from = a % frame.count;
        const to = from + 1 + (b % (frame.count - from));

        const cut = Frame.parse(frame.slice(from, to));

        expect(itemsOf(cut)).toEqual(itemsOf(frame).slice(from, to));
        for (let i = from; i < to; i++) {
          expect(cut.idOf(i - from)).toBe(frame.idOf(i));
          expect(cut.meta?.get(i - from)).toEqual(frame.meta?.get(i));
        }
        expect([...cut.table]).toEqual([...frame.table]);
        expect(Frame.parse(cut.slice(cut.count - 1, cut.count)).idOf(0)).toBe(frame.idOf(to - 1));
      }),
      { numRuns: 150 },
    );
  });

  test("made of picked items keeps their bytes and ids, and what was known of them stays unless it is replaced", () => {
    void fc.assert(
      fc.property(given, fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 10 }), (parts, chosen) => {
        const frame = build(parts);
        const places = [...new Set(chosen.map((n) => n % frame.count))];
        const history = [{ at: 5, error: { name: "Error", message: "m", stack: "s" } }];

        const picked = Frame.parse(frame.pick(places, (place) => (place % 2 === 0 ? { history } : {})));

        expect(picked.count).toBe(places.length);
        for (const [i, place] of places.entries()) {
          expect(itemsOf(picked)[i]).toEqual(itemsOf(frame)[place]);
          expect(picked.idOf(i)).toBe(frame.idOf(place));
          const meta = picked.meta?.get(i);
          expect(meta?.key).toBe(parts.meta.get(place)?.key);
          expect(meta?.enqueuedAt).toBe(parts.meta.get(place)?.enqueuedAt ?? frame.closedAt);
          expect(meta?.history).toEqual(place % 2 === 0 ? history : parts.meta.get(place)?.history);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("that would be larger than any reader takes is not made; its items go into several", () => {
    const frame = build({
      items: Array.from({ length: 2_000 }, (_, i) => Buffer.from(`item ${i}`)),
      meta: new Map(),
      origin: Buffer.alloc(12),
      first: 0,
      closedAt: 0,
      table: Buffer.alloc(0),
    });
    const places = Array.from({ length: 1_000 }, (_, i) => 2 * i);
    const history = [{ at: 1, error: { name: "Error", message: "m", stack: "s".repeat(8_000) } }];

    expect(() => frame.pick(places, () => ({ history }))).toThrow(RangeError);
    const parts = pickFrames(frame, places, () => ({ history })).map(({ bytes, count }) => ({
      cut: Frame.parse(bytes),
      count,
    }));

    expect(parts.length).toBeGreaterThan(10);
    expect(parts.map(({ cut }) => cut.count)).toEqual(parts.map(({ count }) => count));
    expect(parts.flatMap(({ cut }) => itemsOf(cut).map(String))).toEqual(
      places.map((place) => `item ${place}`),
    );
    expect(parts.every(({ cut }) => cut.meta?.get(0)?.history?.[0]?.error.stack.length === 8_000)).toBe(true);
  });

  test("of the largest item that has failed a thousand times is still a frame; old stacks are left out", () => {
    const frame = build({
      items: [Buffer.alloc(960 * 1024)],
      meta: new Map(),
      origin: Buffer.alloc(12),
      first: 0,
      closedAt: 0,
      table: Buffer.alloc(0),
    });
    const history = Array.from({ length: 1_500 }, (_, at) => ({
      at,
      error: { name: "Error", message: "m".repeat(4_000), stack: "s".repeat(8_000) },
    }));

    const parts = pickFrames(frame, [0], () => ({ history }));

    expect(parts).toHaveLength(1);
    const kept = Frame.parse(parts[0]?.bytes as Buffer).meta?.get(0)?.history ?? [];
    expect(kept).toHaveLength(1_000);
    expect(kept.at(-1)).toEqual(history.at(-1));
    expect(kept[0]?.error.stack).toBe("");
  });

  test("is closed by its builder before it gets too large", () => {
    const builder = new FrameBuilder();
    const item = Buffer.alloc(1_000);
    while (!builder.isFullFor(item.length)) builder.add(item);
    expect(builder.bytes).toBeLessThanOrEqual(FRAME_BYTES);
    expect(builder.bytes).toBeGreaterThan(FRAME_BYTES - 2_000);
    builder.close(Buffer.alloc(12), 0, 0, Buffer.alloc(0));
    expect(builder.count).toBe(0);

    while (!builder.isFullFor(0)) builder.add(Buffer.alloc(0));
    expect(builder.count).toBe(FRAME_ITEMS);
    builder.clear();
    expect(builder.isFullFor(10 * FRAME_BYTES)).toBe(false);
  });
});

describe("damage of a frame is found", () => {
  test("when any single bit is flipped", () => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const bad = Buffer.from(sample);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(Frame.check(bad), `bit ${bit}`).toBeDefined();
      expect(() => Frame.parse(bad)).toThrow(expect.objectContaining({ code: "MR_FRAME_CORRUPT" }));
    }
  });

  test("when it is cut short anywhere, or bytes follow it", () => {
    for (let length = 0; length < sample.length; length++) {
      expect(Frame.check(sample.subarray(0, length)), `${length} bytes`).toBeDefined();
    }
    expect(Frame.check(Buffer.concat([sample, Buffer.from([0])]))).toBeDefined();
  });

  test("when bytes are exchanged or runs of them zeroed", () => {
    void fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat({ max: 64 }), fc.boolean(), (a, b, length, zero) => {
        const bad = Buffer.from(sample);
        const from = a % bad.length;
        const to = b % bad.length;
        if (zero) bad.fill(0, from, Math.min(bad.length, from + length));
        else bad.copyWithin(to, from, from + length);
        fc.pre(!bad.equals(sample));
        expect(Frame.check(bad)).toBeDefined();
      }),
    );
  });

  test("and random bytes never pass, with a magic number or without", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, withMagic) => {
        const random = Buffer.from(bytes);
        if (withMagic) sample.copy(random, 0, 0, Math.min(4, random.length));
        expect(Frame.check(random)).toBeDefined();
        expect(() => Frame.parse(random)).toThrow(CorruptionError);
      }),
      { numRuns: 3_000 },
    );
  });

  test("and hostile lengths are refused in no time, with the error that says so", () => {
    const extremes = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    const started = performance.now();
    for (const at of [4, 36, 40, 44, 48]) {
      for (const value of extremes) {
        const bad = Buffer.from(sample);
        bad.writeUInt32LE(value, at);
        expect(() => Frame.parse(bad)).toThrow(CorruptionError);
      }
    }
    expect(Frame.check(Buffer.alloc(MAX_FRAME_BYTES + 1))).toContain("longer");
    expect(performance.now() - started).toBeLessThan(500);
  });

  test("even when its maker lied and then took the checksum", () => {
    const origin = Buffer.alloc(12);
    const table = Buffer.alloc(0);
    const lies: Parameters<typeof buildFrame>[0][] = [
      // Lengths that add up to another size, end early, go on, are negative as 32 bits.
      {
        count: 1,
        origin,
        first: 0,
        closedAt: 0,
        table,
        meta: undefined,
        lengths: Buffer.from([5]),
        payload: [Buffer.alloc(4)],
      },
      {
        count: 2,
        origin,
        first: 0,
        closedAt: 0,
        table,
        meta: undefined,
        lengths: Buffer.from([0x81, 0x82]),
        payload: [],
      },
      {
        count: 1,
        origin,
        first: 0,
        closedAt: 0,
        table,
        meta: undefined,
        lengths: Buffer.from([1, 1, 1]),
        payload: [Buffer.alloc(3)],
      },
      {
        count: 2,
        origin,
        first: 0,
        closedAt: 0,
        table,
        meta: undefined,
        lengths: Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x05]),
        payload: [Buffer.alloc(4)],
      },
    ];
    for (const lie of lies) expect(() => Frame.parse(buildFrame(lie))).toThrow(CorruptionError);
  });
});
