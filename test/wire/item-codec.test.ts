import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncodingError } from "../../src/errors.ts";
import { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";
import { ItemDecoder, ItemEncoder, MAX_ITEM_BYTES } from "../../src/wire/item-codec.ts";
import { items, shapes, unencodable } from "./item-values.ts";

const ORIGIN = Buffer.alloc(12, 7);

function roundTrip(item: unknown): unknown {
  const encoder = new ItemEncoder();
  const bytes = Buffer.from(encoder.encode(item));
  return new ItemDecoder().for(encoder.table)(bytes, 0, bytes.length);
}

/** Items to frames, closed when full, when the encoder asks for it, and where `closeAfter` says. */
function framesOf(
  encoder: ItemEncoder,
  all: readonly unknown[],
  closeAfter: (i: number) => boolean,
): Frame[] {
  const frames: Frame[] = [];
  const builder = new FrameBuilder();
  const close = (): void => {
    if (builder.count > 0) frames.push(Frame.parse(builder.close(ORIGIN, 0, 0, encoder.table)));
  };
  for (const [i, item] of all.entries()) {
    let bytes: Uint8Array;
    try {
      bytes = encoder.encode(item);
    } catch (error) {
      if (error instanceof EncodingError) continue;
      throw error;
    }
    if (builder.isFullFor(bytes.byteLength)) close();
    builder.add(bytes);
    if (encoder.mustSettle) {
      close();
      encoder.settle();
    } else if (closeAfter(i)) close();
  }
  close();
  return frames;
}

function decodeAll(frames: readonly Frame[]): unknown[] {
  const decoder = new ItemDecoder();
  return frames.flatMap((frame) => {
    const decode = decoder.for(frame.table);
    return Array.from({ length: frame.count }, (_, i) =>
      decode(frame.payload, frame.starts[i] as number, frame.starts[i + 1] as number),
    );
  });
}

function refusalOf(item: unknown): EncodingError {
  try {
    new ItemEncoder().encode(item);
  } catch (error) {
    expect(error).toBeInstanceOf(EncodingError);
    return error as EncodingError;
  }
  throw new Error("it was encoded");
}

describe("items come back", () => {
  test("as they were, one by one", () => {
    void fc.assert(
      fc.property(items, (item) => {
        expect(isDeepStrictEqual(roundTrip(item), item)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test("as they were, through frames, however many shapes they have and whatever fails between them", () => {
    void fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 9, arbitrary: shapes },
            { weight: 1, arbitrary: unencodable.map((u) => ({ a: { b: u }, c: 1 })) },
          ),
          {
            maxLength: 80,
          },
        ),
        fc.integer({ min: 1, max: 30 }),
        (given, every) => {
          const frames = framesOf(new ItemEncoder(), given, (i) => i % every === 0);
          const expected = given.filter((item) => !isRefused(item));
          expect(isDeepStrictEqual(decodeAll(frames), expected)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("when a thousand shapes go through one encoder, which gives up its table once", () => {
    const encoder = new ItemEncoder();
    const given = Array.from({ length: 1_000 }, (_, i) => ({ [`field-${i}`]: i, same: true }));

    const frames = framesOf(encoder, given, () => false);

    expect(decodeAll(frames)).toEqual(given);
    expect(encoder.epoch).toBe(1);
    expect(encoder.table.length).toBe(0);
  });

  test("in an order of decoding that is not the one of encoding, and from many tables", () => {
    const given = Array.from({ length: 200 }, (_, i) => ({ [`t${i % 100}`]: i }));
    const frames = given.flatMap((item) => framesOf(new ItemEncoder(), [item], () => true));
    const decoder = new ItemDecoder();

    for (const [i, frame] of [...frames.entries()].reverse()) {
      expect(decoder.for(frame.table)(frame.payload, 0, frame.payload.length)).toEqual(given[i]);
    }
  });

  test("a value that its owner changes afterwards is carried as it was", () => {
    const encoder = new ItemEncoder();
    const builder = new FrameBuilder();
    const item = { total: 1, lines: [{ n: 1 }], bytes: Buffer.from("abc") };
    builder.add(encoder.encode(item));
    item.total = 2;
    item.lines.push({ n: 2 });
    item.bytes.fill(0);
    builder.add(encoder.encode(item));

    const [first, second] = decodeAll([Frame.parse(builder.close(ORIGIN, 0, 0, encoder.table))]);

    expect(first).toEqual({ total: 1, lines: [{ n: 1 }], bytes: Buffer.from("abc") });
    expect(second).toEqual({ total: 2, lines: [{ n: 1 }, { n: 2 }], bytes: Buffer.alloc(3) });
  });

  test("and what user code does to a decoded value does not reach the frame's bytes", () => {
    const [frame] = framesOf(
      new ItemEncoder(),
      [{ bytes: Buffer.from("abc"), array: new Uint8Array([1, 2]) }],
      () => false,
    );
    const [item] = decodeAll([frame as Frame]) as [{ bytes: Buffer; array: Uint8Array }];

    item.bytes.fill(0);
    item.array.fill(9);

    expect(Frame.check((frame as Frame).bytes)).toBeUndefined();
    expect(decodeAll([frame as Frame])).toEqual([
      { bytes: Buffer.from("abc"), array: new Uint8Array([1, 2]) },
    ]);
  });

  test("a lone surrogate has no UTF-8 form and comes back as replacement characters", () => {
    expect(roundTrip("a\ud800b")).toMatch(/^a\ufffd+b$/);
  });

  test("a negative zero comes back as zero, an instance of a class as a plain object, __proto__ by another name", () => {
    class Order {
      total = 1;
    }
    expect(Object.is(roundTrip(-0), 0)).toBe(true);
    expect(roundTrip(new Order())).toEqual({ total: 1 });
    expect(Object.getPrototypeOf(roundTrip(new Order()))).toBe(Object.prototype);
    expect(roundTrip(JSON.parse('{"__proto__":{"polluted":true}}'))).toEqual({
      __proto_: { polluted: true },
    });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

function isRefused(item: unknown): boolean {
  try {
    new ItemEncoder().encode(item);
    return false;
  } catch {
    return true;
  }
}

describe("an item that cannot be carried is refused with the place that is to blame", () => {
  const circular: Record<string, unknown> = { list: [{}] };
  (circular.list as { up?: unknown }[])[0]!.up = circular;

  test.each<[string, unknown, string, string]>([
    ["a function", { order: { price: () => 1 } }, "$.order.price", "a function (price)"],
    ["a function alone", function total() {}, "$", "a function (total)"],
    ["a symbol in a list", [1, [Symbol("x")]], "$[1][0]", "a symbol"],
    ["a promise", { a: { b: Promise.resolve(1) } }, "$.a.b", "await"],
    ["a promise alone", Promise.resolve(1), "$", "await"],
    ["a function in a map", new Map([["key", { f: () => 1 }]]), '$.get("key").f', "a function"],
    ["a function as a key", new Map([[() => 1, 1]]), "$.keys(", "a function"],
    ["a symbol in a set", { s: new Set([Symbol("x")]) }, "$.s.values()", "a symbol"],
    ["a circle", circular, "$.list[0].up", "circular"],
  ])("%s", (_what, item, path, what) => {
    const error = refusalOf(item);

    expect(error.code).toBe("MR_NOT_ENCODABLE");
    expect(error.scope).toBe("item");
    expect(error.details.path).toContain(path);
    expect(error.message).toContain(what);
  });

  test("a getter that throws", () => {
    const error = refusalOf({
      get total() {
        throw new Error("boom");
      },
    });

    expect(error.code).toBe("MR_NOT_ENCODABLE");
    expect(error.message).toContain("boom");
  });

  test.each([600, 1_000, 1_400, 5_000, 20_000, 200_000])(
    "nesting %i deep is refused, or can be decoded",
    (depth) => {
      for (const wrap of [
        (inner: unknown) => [inner],
        (inner: unknown) => ({ inner }),
        (inner: unknown) => new Map([[1, inner]]),
      ]) {
        let item: unknown = 1;
        for (let i = 0; i < depth; i++) item = wrap(item);
        let bytes: Buffer;
        const encoder = new ItemEncoder();
        try {
          bytes = Buffer.from(encoder.encode(item));
        } catch (error) {
          expect((error as EncodingError).code).toBe("MR_NOT_ENCODABLE");
          expect((error as Error).message).toContain("deeper");
          expect((error as Error).message.length).toBeLessThan(1_000);
          continue;
        }
        expect(() => new ItemDecoder().for(encoder.table)(bytes, 0, bytes.length)).not.toThrow();
      }
    },
  );

  test("one that is too large, with its size; the next one is encoded", () => {
    const encoder = new ItemEncoder();

    expect(() => encoder.encode({ text: "x".repeat(MAX_ITEM_BYTES) })).toThrow(
      expect.objectContaining({ code: "MR_ITEM_TOO_LARGE", scope: "item" }),
    );
    const bytes = Buffer.from(encoder.encode({ text: "x" }));

    expect(new ItemDecoder().for(encoder.table)(bytes, 0, bytes.length)).toEqual({ text: "x" });
  });

  test("one of exactly the largest size is carried", () => {
    const encoder = new ItemEncoder();
    const overhead = encoder.encode(Buffer.alloc(MAX_ITEM_BYTES - 100)).byteLength - (MAX_ITEM_BYTES - 100);
    const bytes = Buffer.from(encoder.encode(Buffer.alloc(MAX_ITEM_BYTES - overhead)));

    expect(bytes.length).toBe(MAX_ITEM_BYTES);
    expect(() => encoder.encode(Buffer.alloc(MAX_ITEM_BYTES - overhead + 1))).toThrow(EncodingError);
  });
});

describe("bytes that are not items", () => {
  test("make the decoder throw an error or give some value: nothing else", () => {
    const decode = new ItemDecoder().for(Buffer.alloc(0));
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(Buffer.from(bytes), 0, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("damage of one item does not reach the next one that the same decoder reads", () => {
    const encoder = new ItemEncoder();
    const good = Buffer.from(encoder.encode({ name: "a", inner: { deep: [1, 2, 3] } }));
    const decode = new ItemDecoder().for(encoder.table);
    for (let i = 0; i < good.length; i++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bad = Buffer.from(good);
        bad[i] = (bad[i] as number) ^ flip;
        try {
          decode(bad, 0, bad.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(decode(good, 0, good.length)).toEqual({ name: "a", inner: { deep: [1, 2, 3] } });
      }
    }
  });

  test("a table that is none is refused", () => {
    for (const table of [Buffer.from([0xc0]), Buffer.from([0x91, 0x01]), Buffer.from("not a table")]) {
      expect(() => new ItemDecoder().for(table)).toThrow();
    }
  });
});

test("an object around a number, a text or a truth travels as what it holds, wherever it stands", () => {
  const boxed = [new Number(5), { n: new Number(-1.5), s: new String("text"), b: new Boolean(false) }];
  expect(roundTrip(boxed)).toEqual([5, { n: -1.5, s: "text", b: false }]);
  expect(roundTrip(new String("alone"))).toBe("alone");
});
