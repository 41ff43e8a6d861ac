import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CorruptionError } from "../../src/errors.ts";
import {
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  type Message,
  MessageReader,
} from "../../src/wire/message.ts";

const message = fc.record({
  type: fc.nat({ max: 255 }),
  head: fc.oneof(
    fc.record({ n: fc.nat(), settle: fc.array(fc.tuple(fc.nat(), fc.string({ maxLength: 5 }))) }),
    fc.constantFrom(null, 5, "text", [], {}),
  ),
  blobs: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }),
});

interface Given {
  readonly type: number;
  readonly head: unknown;
  readonly blobs: readonly Uint8Array[];
}

const bytesOf = ({ type, head, blobs }: Given): Buffer => Buffer.concat(encodeMessage(type, head, blobs));
const plain = ({ type, head, blobs }: Given | Message): unknown => ({
  type,
  head,
  blobs: blobs.map((b) => [...b]),
});

function readAll(bytes: Buffer, cuts: readonly number[], maxBytes?: number): Message[] {
  const messages: Message[] = [];
  const reader = new MessageReader((m) => messages.push(m), maxBytes);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    reader.push(bytes.subarray(from, cut));
    from = cut;
  }
  return messages;
}

const sample = bytesOf({
  type: 4,
  head: { n: 7, append: [["next", 3, 0, true]] },
  blobs: [Buffer.from("frame"), Buffer.alloc(0)],
});

describe("messages", () => {
  test("are the same, however the bytes come in", () => {
    void fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 30 }), (given, at) => {
        const bytes = Buffer.concat(given.map(bytesOf));
        const cuts = at.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);

        expect(readAll(bytes, cuts).map(plain)).toEqual(given.map(plain));
      }),
      { numRuns: 200 },
    );
  });

  test("come byte by byte", () => {
    const bytes = Buffer.concat([sample, sample]);
    expect(
      readAll(
        bytes,
        Array.from({ length: bytes.length }, (_, i) => i),
      ),
    ).toHaveLength(2);
  });

  test("are never delivered with a flipped bit in their lead", () => {
    const leadBits = (sample.length - 5) * 8;
    for (let bit = 0; bit < leadBits; bit++) {
      const bad = Buffer.from(sample);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      let messages: Message[] = [];
      try {
        // Bytes that follow: a length that has grown takes them for its own.
        messages = readAll(Buffer.concat([bad, sample, sample, sample]), []);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError);
        expect((error as CorruptionError).code).toBe("MR_PROTOCOL");
      }
      expect(messages).toHaveLength(0);
    }
  });

  test("of an impossible length are refused at the fourth byte", () => {
    for (const length of [0, 11, MAX_MESSAGE_BYTES, 0x7fff_ffff, 0xffff_ffff]) {
      const lead = Buffer.alloc(4);
      lead.writeUInt32LE(length, 0);
      const reader = new MessageReader(() => undefined);
      for (let i = 0; i < 3; i++) reader.push(lead.subarray(i, i + 1));
      expect(() => reader.push(lead.subarray(3, 4))).toThrow(
        expect.objectContaining({ code: "MR_PROTOCOL" }),
      );
    }
  });

  test("of lengths that do not fit together are refused by the same error", () => {
    for (const at of [10, 12, sample.length - 13, sample.length - 9]) {
      for (const value of [0xff, 0xffff]) {
        const bad = Buffer.from(sample);
        bad.writeUInt16LE(value, at);
        expect(() => decodeMessage(bad)).toThrow(CorruptionError);
      }
    }
  });

  test("that random bytes look like are refused, never made up", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 300 }), (bytes, length) => {
        const random = Buffer.from(bytes);
        if (random.length >= 4) random.writeUInt32LE(length, 0);
        try {
          expect(readAll(random, [])).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("before a bad one are delivered once, and nothing after it is", () => {
    const types: number[] = [];
    const reader = new MessageReader((m) => types.push(m.type));
    const bad = Buffer.from(sample);
    bad[9] = 1;

    expect(() => reader.push(Buffer.concat([sample, bad]))).toThrow(CorruptionError);
    reader.push(sample);
    reader.push(sample);

    expect(types).toEqual([4]);
  });

  test("that the receiver refuses end the stream as well", () => {
    let seen = 0;
    const reader = new MessageReader(() => {
      if (++seen === 2) throw new CorruptionError("MR_PROTOCOL", "no such message");
    });

    expect(() => reader.push(Buffer.concat([sample, sample, sample]))).toThrow("no such message");
    reader.push(sample);

    expect(seen).toBe(2);
  });
});
