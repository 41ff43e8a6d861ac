import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { engineError } from "./engine-error.ts";

/**
 * A client library, which is an optional peer: the copy beside millrace, or else the one of the project in whose folder
 * this process was started (millrace may be installed globally, or linked).
 *
 * @param name the package that `load` imports.
 * @param install what is to be typed behind `npm install`.
 * @throws StreamError MR_ENGINE_CLIENT_MISSING
 */
export async function importClient<Client>(
  engineName: string,
  name: string,
  load: () => Promise<Client>,
  install = name,
): Promise<Client> {
  try {
    return await load();
  } catch (problem) {
    if (!isMissing(problem, name)) throw problem;
    const path = inProject(name);
    if (path === undefined) throw engineError.clientMissing(engineName, install, problem);
    return (await import(pathToFileURL(path).href)) as Client;
  }
}

function inProject(name: string): string | undefined {
  try {
    return createRequire(join(process.cwd(), "package.json")).resolve(name);
  } catch {
    return undefined;
  }
}

/** n.b. a client that is there and lacks a package of its own is not missing. */
function isMissing(problem: unknown, name: string): boolean {
  if (!(problem instanceof Error) || !("code" in problem)) return false;
  return problem.code === "ERR_MODULE_NOT_FOUND" && problem.message.includes(`'${name}'`);
}
