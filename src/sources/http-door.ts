import { createHash, timingSafeEqual } from "node:crypto";
import type { InputPort } from "../definition/input-port.ts";
import type { PushOptions } from "../definition/push.ts";
import type { HttpReply, HttpRequest } from "../env/http.ts";
import { type ErrorCode, ensureError, type MillraceError } from "../errors.ts";
import type { HttpPushSettings } from "./http-push.ts";

/** What a full source says to those who want to try again, in seconds. */
const RETRY_AFTER = "1";
const LINES = /^application\/(x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines)\b/i;

/** A request that is not let in, and why. */
class Refusal extends Error {
  readonly reply: HttpReply;
  constructor(
    status: number,
    message: string,
    more: object = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.reply = { status, headers, body: { error: { message, ...more } } };
  }
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  MR_NOT_ENCODABLE: 400,
  MR_BAD_OPTION: 400,
  MR_ITEM_TOO_LARGE: 413,
  MR_PUSH_TOO_LARGE: 413,
  MR_NOT_PUSHABLE: 410,
  MR_BACKPRESSURE: 429,
  MR_DISK_LOW: 429,
  MR_DISK_FULL: 507,
};

/** Answers the requests to a push source. */
export class HttpDoor {
  readonly #port: InputPort;
  readonly #settings: HttpPushSettings;

  constructor(port: InputPort, settings: HttpPushSettings) {
    this.#port = port;
    this.#settings = settings;
  }

  async answer(request: HttpRequest): Promise<HttpReply> {
    try {
      const query = this.#check(request);
      const body = await this.#bodyOf(request);
      const isLines = LINES.test(request.headers["content-type"] ?? "");
      const items = isLines ? itemsOfLines(body) : itemsOf(body);
      await this.#port.push(items, query);
      return { status: 202, body: { accepted: items.length } };
    } catch (error) {
      return replyTo(error);
    }
  }

  /** Gives the options that the query holds. */
  #check({ method, url, headers }: HttpRequest): PushOptions | undefined {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    if (pathname !== this.#settings.path)
      throw new Refusal(404, `there is nothing at ${pathname}; items go to ${this.#settings.path}`);
    if (method !== "POST")
      throw new Refusal(405, `${method} is of no use here; POST items`, {}, { allow: "POST" });
    const { token } = this.#settings;
    if (token !== undefined && !isSame(headers.authorization ?? "", `Bearer ${token}`)) {
      throw new Refusal(401, "a token is missing or wrong", {}, { "www-authenticate": "Bearer" });
    }
    // n.b. before the body is read: a full source has no use for it.
    if (this.#port.isFull)
      throw new Refusal(429, "the source is full; try again later", {}, { "retry-after": RETRY_AFTER });
    const options = Object.fromEntries(searchParams);
    if (options.delayMs !== undefined && /^\d+$/.test(options.delayMs))
      return { ...options, delayMs: Number(options.delayMs) } as PushOptions;
    return Object.keys(options).length === 0 ? undefined : (options as PushOptions);
  }

  async #bodyOf({ body, headers }: HttpRequest): Promise<string> {
    const { maxBody } = this.#settings;
    const tooLarge = (): Refusal =>
      new Refusal(413, `a body has at most ${maxBody} bytes; send fewer items at once`);
    if (Number(headers["content-length"] ?? 0) > maxBody) throw tooLarge();
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of body) {
      bytes += piece.byteLength;
      if (bytes > maxBody) throw tooLarge();
      pieces.push(piece);
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
    } catch {
      throw new Refusal(400, "the body is not UTF-8");
    }
  }
}

function itemsOf(body: string): unknown[] {
  try {
    const value: unknown = JSON.parse(body);
    return Array.isArray(value) ? value : [value];
  } catch (error) {
    throw new Refusal(400, `the body is not JSON: ${ensureError(error).message}`);
  }
}

function itemsOfLines(body: string): unknown[] {
  const items: unknown[] = [];
  for (const [index, line] of body.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      items.push(JSON.parse(line));
    } catch (error) {
      const place = { line: index + 1 };
      throw new Refusal(400, `line ${index + 1} is not JSON: ${ensureError(error).message}`, place);
    }
  }
  return items;
}

/** Takes the same time whatever is wrong with it. */
function isSame(given: string, expected: string): boolean {
  const digest = (value: string): Buffer => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function replyTo(thrown: unknown): HttpReply {
  if (thrown instanceof Refusal) return thrown.reply;
  const { message } = ensureError(thrown);
  // n.b. by its code, not its class: the instance may have loaded another copy of the package.
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
  const status = STATUS[code as ErrorCode] ?? 503;
  const { index } = (thrown as Partial<MillraceError>).details ?? {};
  const retry = status === 429 || status === 503 ? { headers: { "retry-after": RETRY_AFTER } } : {};
  return {
    status,
    ...retry,
    body: { error: { message, ...(code && { code }), ...(typeof index === "number" && { index }) } },
  };
}
