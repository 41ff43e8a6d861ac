import { MESSAGE_BYTES_LIMIT } from "../backplane/contract.ts";
import { ProtocolError } from "../errors.ts";

const HEADER_BYTES = 4;

/** The bytes of a message on a control socket: its length, 32 bits big-endian, then its JSON text. */
export function prefixed(text: string): Uint8Array[] {
  const body = Buffer.from(text, "utf8");
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(body.byteLength);
  return [header, body];
}

/**
 * Cuts a byte stream into messages. Nothing is allocated for a length before it is known to be allowed; a peer that
 * names a greater one can't be followed any further, so `push` throws MR_MESSAGE_TOO_LARGE and the socket must go.
 */
export class LengthPrefixReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;

  /** True between the first and the last byte of a message. */
  get isMidway(): boolean {
    return this.#headerBytes > 0;
  }

  /** Takes what was received and hands over each message that it completes. */
  push(chunk: Uint8Array, onMessage: (body: Buffer) => void): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#body === undefined) at += this.#readHeader(chunk.subarray(at));
      if (this.#body === undefined) continue;
      const part = chunk.subarray(at, at + this.#body.byteLength - this.#bodyBytes);
      this.#body.set(part, this.#bodyBytes);
      this.#bodyBytes += part.byteLength;
      at += part.byteLength;
      if (this.#bodyBytes < this.#body.byteLength) continue;
      const body = this.#body;
      this.#body = undefined;
      this.#headerBytes = 0;
      this.#bodyBytes = 0;
      onMessage(body);
    }
  }

  #readHeader(chunk: Uint8Array): number {
    const part = chunk.subarray(0, HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.byteLength;
    if (this.#headerBytes === HEADER_BYTES) {
      const length = this.#header.readUInt32BE();
      if (length > MESSAGE_BYTES_LIMIT) throw tooLarge(length);
      this.#body = Buffer.allocUnsafe(length);
    }
    return part.byteLength;
  }
}

function tooLarge(length: number): ProtocolError {
  return new ProtocolError(
    "MR_MESSAGE_TOO_LARGE",
    `control socket: a message of ${length} bytes, more than ${MESSAGE_BYTES_LIMIT}; speak MMOP here, and put large data into a file`,
    { details: { bytes: length, limitBytes: MESSAGE_BYTES_LIMIT } },
  );
}
