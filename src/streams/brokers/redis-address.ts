import { UsageError } from "../../errors.ts";

/** Where a Redis server is, and who we are to it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The number of the database. */
  readonly database: number;
  readonly isTls: boolean;
  /** For people, without the password. */
  readonly shown: string;
}

/**
 * Reads `redis://[user[:password]@]host[:port][/database]`, with TLS for `rediss:`.
 *
 * @throws UsageError MR_BAD_OPTION
 */
export function redisAddress(given: string): RedisAddress {
  const url = /^rediss?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  const refuse = (problem: string): UsageError =>
    new UsageError(
      "MR_BAD_OPTION",
      `${url ? shownOf(url) : "streams"}: ${problem}; write redis://[user:password@]host[:port][/database], rediss:// for TLS`,
    );
  if (url === undefined) throw refuse("that is no URL of a Redis server");
  const path = url.pathname.replace(/^\//, "");
  if (!/^\d*$/.test(path)) throw refuse(`its database must be a number, got ${JSON.stringify(path)}`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1",
    port: url.port === "" ? 6379 : Number(url.port),
    user: url.username === "" ? undefined : decoded(url.username),
    password: url.password === "" ? undefined : decoded(url.password),
    database: Number(path),
    isTls: url.protocol === "rediss:",
    shown: shownOf(url),
  };
}

/** From the parts, not by cutting the password out of the text: whatever its signs, it can't be in there. */
function shownOf({ protocol, username, host, pathname }: URL): string {
  return `${protocol}//${username === "" ? "" : `${decoded(username)}@`}${host}${pathname}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
