import { pathToFileURL } from "node:url";
import type { Definition } from "../definition/shape.ts";
import { runnableExport } from "./runnable-export.ts";

/**
 * Imports a bundle and gives the definition of one of its exports. For instances: it loads nothing but the bundle.
 *
 * @param path absolute path of the bundle.
 * @param exportName as the description has it.
 * @throws UsageError MR_NOTHING_TO_RUN when the bundle has no such export; whatever the module throws on import.
 */
export async function importBundle(path: string, exportName: string): Promise<Definition> {
  return runnableExport(await importExports(path), path, exportName).definition;
}

/** Everything that a bundle exports, by name. */
export async function importExports(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
}
