import { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder } from "../../src/wire/frame-builder.ts";

/** A frame with these texts as its items' bytes. */
export function frameOf(texts: readonly string[]): Buffer {
  const builder = new FrameBuilder();
  for (const text of texts) builder.add(Buffer.from(text));
  return builder.close(Buffer.alloc(12), 0, 0, Buffer.alloc(0));
}

/** The texts of a frame's items. */
export function textsOf(bytes: Buffer): string[] {
  const frame = Frame.parse(bytes);
  const { starts } = frame;
  return Array.from({ length: frame.count }, (_, i) =>
    frame.payload.toString("utf8", starts[i], starts[i + 1]),
  );
}
