/** Lengths of a frame's items: a varint each, end to end. */

export function pushVarint(into: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    into.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  into.push(rest);
}

/** The lengths of the items from `from` to before `to`. */
export function lengthsOf(starts: Uint32Array, from: number, to: number): Uint8Array {
  const lengths: number[] = [];
  for (let i = from; i < to; i++) pushVarint(lengths, (starts[i + 1] as number) - (starts[i] as number));
  return Uint8Array.from(lengths);
}

/** Where each item starts in the payload, and its end. Throws RangeError for lengths that are none of this payload. */
export function startsOf(lengths: Buffer, count: number, payloadLength: number): Uint32Array {
  const starts = new Uint32Array(count + 1);
  let at = 0;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = lengths[at++];
      // n.b. 21 bits and 7 more are ample for what a frame may have and cannot become negative.
      if (byte === undefined || shift > 21) throw new RangeError("lengths end early");
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7;
    }
    sum += length;
    starts[i + 1] = sum;
  }
  if (sum !== payloadLength || at !== lengths.length) throw new RangeError("lengths and payload disagree");
  return starts;
}
