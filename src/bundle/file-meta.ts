import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** `import.meta` of a user's file inside a bundle: it tells of the file as it was written, not of the bundle. */
export interface FileMeta {
  readonly url: string;
  readonly filename: string;
  readonly dirname: string;
  /** A bundled file is always imported by someone. */
  readonly main: false;
  resolve(specifier: string): string;
}

/** Called by bundles, once for each file that mentions `import.meta`, `__filename` or `__dirname`. */
export function fileMeta(url: string): FileMeta {
  const filename = fileURLToPath(url);
  return {
    url,
    filename,
    dirname: dirname(filename),
    main: false,
    resolve(specifier) {
      if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, url).href;
      if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
      if (URL.canParse(specifier)) return new URL(specifier).href;
      return pathToFileURL(createRequire(url).resolve(specifier)).href;
    },
  };
}
