import type { ForeignSettings } from "./foreign-driver.ts";

/** The options that a group of rules knows; the others were for all drivers. */
export function ownOf({ options }: ForeignSettings, { fields = {} }: { readonly fields?: object }): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name in fields));
}

/** Those that say whom to trust with TLS, and who we are. */
export function pemsOf({ options }: ForeignSettings): Readonly<Record<string, unknown>> {
  const { ca, cert, key } = options;
  return Object.fromEntries(Object.entries({ ca, cert, key }).filter(([, pem]) => pem !== undefined));
}
