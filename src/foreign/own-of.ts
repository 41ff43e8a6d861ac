import type { ForeignSettings } from "./foreign-driver.ts";

/** The options that a group of rules knows; the others were for all drivers. */
export function ownOf({ options }: ForeignSettings, { fields = {} }: { readonly fields?: object }): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name in fields));
}
