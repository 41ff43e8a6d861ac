import { inputPortOf } from "../definition/input-port.ts";
import { size } from "../definition/option-rules.ts";
import { PUSH, type Push, passItem } from "../definition/push.ts";
import { group, optional, readOptions, required, rule, standard } from "../definition/rule.ts";
import type { Size } from "../definition/size.ts";
import type { HttpServer } from "../env/http.ts";
import { StageError } from "../errors.ts";

export interface HttpPushOptions {
  /** The port to listen on. */
  readonly port: number;
  /** Default `"/"`. */
  readonly path?: string;
  /** The address to listen on. Default `"127.0.0.1"`: only this machine. */
  readonly host?: string;
  /** With it every request needs `Authorization: Bearer <token>`. */
  readonly token?: string;
  /** The largest body of a request. Default `"8MB"`, at most `"16MB"`. */
  readonly maxBody?: Size;
}

const MAX_BODY = 16 * 1024 * 1024;

const text = rule("a text with something in it", (value) =>
  typeof value === "string" && value !== "" ? value : undefined,
);

const OPTIONS = group({
  port: required(
    rule("a port: a whole number from 1 to 65535, or 0 for any that is free", (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535
        ? value
        : undefined,
    ),
    "The port to listen on.",
  ),
  path: standard(
    rule('a path that starts with "/", without "?" and "#"', (value) =>
      typeof value === "string" && /^\/[^?#]*$/.test(value) ? value : undefined,
    ),
    "/",
    "The path that takes items.",
  ),
  host: standard(text, "127.0.0.1", "The address to listen on."),
  token: optional(text, "With it every request needs `Authorization: Bearer <token>`."),
  maxBody: standard(
    rule('bytes or a text like "8MB", at most 16MB', (value) => {
      const place = { subject: "", path: "" };
      try {
        const bytes = size("1").read(value, place);
        return bytes <= MAX_BODY ? bytes : undefined;
      } catch {
        return undefined;
      }
    }),
    "8MB",
    "The largest body of a request.",
  ),
});

export type HttpPushSettings = ReturnType<typeof OPTIONS.read>;

/**
 * A push source with an HTTP server: `POST` a JSON value, a JSON array of values, or lines of JSON
 * (`content-type: application/x-ndjson`). The answer `202 {"accepted": n}` comes when the items are durable. All of a
 * request is stored, or nothing. While the source is full the answer is 429 with `Retry-After`.
 *
 * ```ts
 * const orders = p.source("orders", httpPush<Order>({ port: 8080, path: "/orders" }));
 * ```
 *
 * @throws DefinitionError MR_BAD_OPTION. A port that is in use fails the source's setup.
 */
export function httpPush<Item>(options: HttpPushOptions): Push<Item> {
  const settings = readOptions(OPTIONS, options, "httpPush()");
  const source = {
    async setup(ctx: {
      readonly stage: string;
      readonly log: { info(fields: object, message: string): void };
    }) {
      const port = inputPortOf(ctx, `source ${ctx.stage}: httpPush()`);
      if (port === undefined) return undefined;
      const { listenHttp } = await import("../env/node-http.ts");
      const { HttpDoor } = await import("./http-door.ts");
      const door = new HttpDoor(port, settings);
      const { host, path } = settings;
      const server = await listenHttp(settings, (request) => door.answer(request)).catch((cause: unknown) => {
        throw cannotListen(ctx.stage, settings, cause);
      });
      ctx.log.info(
        { url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}${path}` },
        "takes items",
      );
      return server;
    },
    run: passItem,
    async teardown(server: HttpServer | undefined) {
      await server?.close();
    },
    [PUSH]: true,
  };
  return source as unknown as Push<Item>;
}

function cannotListen(source: string, { host, port }: HttpPushSettings, cause: unknown): StageError {
  const { code = "" } = cause as NodeJS.ErrnoException;
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: "it is in use by another program; end that, or give another port",
    EACCES: "it may not be used by this user; give a port from 1024 on",
    EADDRNOTAVAIL: "this machine has no such address; give another host",
    ENOTFOUND: "this host is not known; give another",
  };
  return new StageError(
    "MR_SETUP_FAILED",
    `source ${source}: it cannot listen on port ${port} of ${host} (${code}): ${why[code] ?? "give another port or host"}`,
    { scope: "instance", cause },
  );
}
