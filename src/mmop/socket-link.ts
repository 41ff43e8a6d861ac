import { REQUEST_TIMEOUT_MS } from "../backplane/contract.ts";
import type { Env, Timer } from "../env/env.ts";
import { ControlConnection, type ControlHandler, type ControlServerOptions } from "./control-connection.ts";
import { ControlLink, type ControlLinkOptions, controlTimedOut, controlUnreachable } from "./control-link.ts";

/**
 * Answers MMOP's requests on a unix socket that only this user may open. What is malformed, unknown or of another
 * version is answered with a typed refusal; a message above 64 KiB or one that never ends costs its connection.
 */
export async function serveControlSocket(
  env: Env,
  path: string,
  handler: ControlHandler,
  options: ControlServerOptions,
): Promise<{ close(): Promise<void> }> {
  return env.net.listen(path, (socket) => new ControlConnection(env, socket, handler, options));
}

/**
 * Connects to a process that serves its control socket at `path`. Rejects with MR_UNREACHABLE_PEER when nobody
 * listens there, MR_REQUEST_TIMEOUT when it does not accept in time (5 s by default).
 */
export async function connectControlSocket(
  env: Env,
  path: string,
  options: ControlLinkOptions,
): Promise<ControlLink> {
  const timeoutMs = options.connectTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const connecting = env.net.connect(path).catch((cause: unknown) => {
    throw controlUnreachable(path, "nobody listens there", cause);
  });
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = env.timers.after(timeoutMs, () => {
      connecting.then((socket) => socket.destroy()).catch(() => {}); // it failed as well: nothing to close
      reject(controlTimedOut(path, "it did not accept", timeoutMs));
    });
  });
  try {
    return new ControlLink(env, path, await Promise.race([connecting, late]), options);
  } finally {
    timer?.cancel();
  }
}
