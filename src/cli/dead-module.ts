import { pathToFileURL } from "node:url";
import type { RunManifest } from "../run/run-store.ts";

/** The module of a run's pipeline: where the user says that it lies now, else where it lay. */
export function moduleOf({ module, exportName }: RunManifest, flag: string | undefined): string {
  return flag ?? `${pathToFileURL(module).href}#${exportName}`;
}

/** The params of a run as they were given. Runs of older versions know only what the schema made of them. */
export function givenOf({ given, params }: RunManifest): Readonly<Record<string, unknown>> {
  return given ?? (params as Readonly<Record<string, unknown>>);
}
