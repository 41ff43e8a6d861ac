import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Loader, Plugin } from "esbuild";
import type { Disk } from "../env/env.ts";

/** Names that stand in a bundle for what a file says of itself. */
const META = "__millraceMeta";
const FILENAME = "__millraceFilename";
const DIRNAME = "__millraceDirname";

/** For esbuild's `define`: which expressions are replaced, in every file. */
export const FILE_META_DEFINE: Readonly<Record<string, string>> = {
  "import.meta": META,
  __filename: FILENAME,
  __dirname: DIRNAME,
};

const SCHEME = "millrace-file";

const LOADERS: Readonly<Record<string, Loader>> = {
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
};

/**
 * Gives each user's file its own `import.meta`, `__filename` and `__dirname`.
 *
 * An import is added *behind* the file's text: imports are hoisted, so no line or column moves and source maps stay
 * exact. CommonJS has nothing that is hoisted with a value; there a `var` is put before the first line.
 *
 * @param runtimeUrl URL of the compiled file-meta.js, which bundles import.
 */
export function fileMetaPlugin(disk: Disk, runtimeUrl: string): Plugin {
  return {
    name: "millrace-file-meta",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${SCHEME}:`) }, (args) => ({
        path: args.path.slice(SCHEME.length + 1),
        namespace: SCHEME,
      }));
      build.onResolve({ filter: /.*/, namespace: SCHEME }, () => ({ path: runtimeUrl, external: true }));
      build.onLoad({ filter: /.*/, namespace: SCHEME }, (args) => ({
        contents: metaModule(args.path, runtimeUrl),
        loader: "js",
      }));
      build.onLoad({ filter: /\.(?:[cm]?[jt]s|[jt]sx)$/, namespace: "file" }, async (args) => {
        const text = (await disk.readFile(args.path)).toString("utf8");
        const contents = withMeta(args.path, text);
        return contents === undefined ? undefined : { contents, loader: LOADERS[extname(args.path)] ?? "ts" };
      });
    },
  };
}

function metaModule(path: string, runtimeUrl: string): string {
  return [
    `import { fileMeta } from ${JSON.stringify(runtimeUrl)};`,
    `export const ${META} = /* @__PURE__ */ fileMeta(${JSON.stringify(pathToFileURL(path).href)});`,
    `export const ${FILENAME} = ${META}.filename, ${DIRNAME} = ${META}.dirname;`,
  ].join("\n");
}

function withMeta(path: string, text: string): string | undefined {
  const hasMeta = /\bimport\s*\.\s*meta\b/.test(text);
  const hasNames = /\b__(?:filename|dirname)\b/.test(text);
  if (!hasMeta && !hasNames) return undefined;
  if (isCommonJs(path, text)) return hasNames ? withNamesAhead(path, text) : undefined;
  const names = `${META}, ${FILENAME}, ${DIRNAME}`;
  return `${text}\nimport { ${names} } from ${JSON.stringify(`${SCHEME}:${path}`)};`;
}

function isCommonJs(path: string, text: string): boolean {
  if (/\.c[jt]s$/.test(path)) return true;
  if (/\.m[jt]s$/.test(path)) return false;
  if (/^\s*(?:import\b(?!\s*\()|export\b)/m.test(text)) return false;
  return /\bmodule\s*\.\s*exports\b|\bexports\s*[.[]|\brequire\s*\(/.test(text);
}

function withNamesAhead(path: string, text: string): string {
  const names = {
    filename: JSON.stringify(path),
    dirname: JSON.stringify(path.replace(/[\\/][^\\/]*$/, "") || "/"),
  };
  const ahead = `var ${FILENAME} = ${names.filename}, ${DIRNAME} = ${names.dirname};`;
  // A "use strict" that is not the first statement any more is no loss: a bundle is strict as a whole.
  return `${ahead} ${text.startsWith("#!") ? `//${text}` : text}`;
}
