import { join } from "node:path";
import type { Env } from "../env/env.ts";

/** Sockets must have short paths: the system allows about a hundred bytes. */
const MAX_SOCKET_DIRECTORY = 80;

/** A new folder of mode 0700 for the sockets of one run. Gone with the run; a killed one leaves it to the system's sweep. */
export async function openRuntimeDirectory(env: Env): Promise<string> {
  const name = `millrace-${env.random.bytes(6).toString("hex")}`;
  const preferred = join(env.disk.temporaryDirectory(), name);
  const directory = preferred.length <= MAX_SOCKET_DIRECTORY ? preferred : join("/tmp", name);
  await env.disk.makeDirectory(directory, { mode: 0o700 });
  return directory;
}
