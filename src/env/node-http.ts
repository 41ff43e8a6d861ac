import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpReply, HttpRequest, HttpServer } from "./http.ts";

/** A body that was not read is read for so long, so that its sender sees the answer and not a broken connection. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Listens for requests. Rejects with the system's error, EADDRINUSE say. `answer` must not reject. */
export async function listenHttp(
  at: { readonly host: string; readonly port: number },
  answer: (request: HttpRequest) => Promise<HttpReply>,
): Promise<HttpServer> {
  let isClosing = false;
  const server = createServer((request, response) => {
    void serve(request, response);
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "" } = request;
    const headers = request.headers as Readonly<Record<string, string | undefined>>;
    const reply = await answer({ method, url, headers, body: request });
    if (response.destroyed) return;
    const body = reply.body === undefined ? "" : `${JSON.stringify(reply.body)}\n`;
    const type = reply.body === undefined ? {} : { "content-type": "application/json" };
    const last = isClosing ? { connection: "close" } : {};
    response.writeHead(reply.status, { ...type, ...last, ...reply.headers });
    response.end(body);
    drain(request);
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        isClosing = true;
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function drain(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return;
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_UNREAD_BYTES) request.destroy();
  });
  request.on("error", () => undefined);
  request.resume();
}
