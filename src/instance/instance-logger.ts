import type { Logger } from "../definition/logger.ts";
import type { Env } from "../env/env.ts";
import type { LogLevel } from "./messages.ts";

/** Lines a second; an exception storm must not become a logging storm. */
const LINES_PER_SECOND = 100;

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The logger of `ctx.log`: hands lines to `write`, at most a hundred a second; what was dropped is said. */
export function instanceLogger(env: Env, write: (line: LogLine) => void): Logger {
  let second = 0;
  let lines = 0;
  let dropped = 0;
  const log = (level: LogLevel, first: string | object, rest: unknown): void => {
    const now = Math.floor(env.clock.mono() / 1_000);
    if (now !== second) {
      second = now;
      lines = 0;
      if (dropped > 0)
        write({
          level: "warn",
          message: `${dropped} log lines were dropped: more than ${LINES_PER_SECOND} a second`,
        });
      dropped = 0;
    }
    if (++lines > LINES_PER_SECOND) {
      dropped++;
      return;
    }
    const [message, fields] = typeof first === "string" ? [first, rest] : [rest, first];
    const hasFields = typeof fields === "object" && fields !== null;
    write({
      level,
      message: typeof message === "string" ? message : fields instanceof Error ? fields.message : "",
      ...(hasFields && { fields: plainFields(fields instanceof Error ? { error: fields } : fields) }),
    });
  };
  return {
    debug: (first: string | object, rest?: unknown) => log("debug", first, rest),
    info: (first: string | object, rest?: unknown) => log("info", first, rest),
    warn: (first: string | object, rest?: unknown) => log("warn", first, rest),
    error: (first: string | object, rest?: unknown) => log("error", first, rest),
  };
}

/** Fields as they can cross to another process: whatever cannot is shown as text. */
function plainFields(fields: object): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) plain[name] = value.stack ?? value.message;
    else if (typeof value === "object" && value !== null) {
      try {
        plain[name] = JSON.parse(JSON.stringify(value));
      } catch {
        plain[name] = String(value);
      }
    } else plain[name] = typeof value === "bigint" || typeof value === "symbol" ? String(value) : value;
  }
  return plain;
}
