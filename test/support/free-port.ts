import { createServer } from "node:net";

/**
 * A port of 127.0.0.1 that nobody listened on a moment ago. It lies below the range that systems give to outgoing
 * connections: a server that is killed and started again must find its port free, and a client that tries that port
 * meanwhile must not be given the very same one and talk to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
