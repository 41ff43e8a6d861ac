let loaded: typeof import("node:crypto") | undefined;

/** node:crypto, loaded at the first use: it takes 0.9 MB, and an instance that has nothing to do needs none of it. */
export function crypto(): typeof import("node:crypto") {
  loaded ??= process.getBuiltinModule("node:crypto");
  return loaded;
}
