import { fileURLToPath } from "node:url";
import type { Env } from "../env/env.ts";

/** The version of this package. */
export async function readVersion(env: Env): Promise<string> {
  const text = await env.disk.readFile(fileURLToPath(new URL("../../package.json", import.meta.url)));
  return (JSON.parse(text.toString("utf8")) as { version: string }).version;
}
