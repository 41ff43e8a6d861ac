import { createRequire, isBuiltin } from "node:module";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ImportKind, OnResolveArgs, OnResolveResult, Plugin } from "esbuild";
import type { Disk } from "../env/env.ts";

/** What Node 20 cannot import by itself, or only with attributes that TypeScript does not ask for. */
const NEEDS_BUNDLING = /\.(?:[cm]?tsx?|jsx|json)$/;

/**
 * Keeps packages outside of the bundle: what a user's file imports by a bare name is resolved as Node would resolve it
 * from there, and the bundle names the file found. `millrace` is always the copy that runs this code, so that the
 * module and the processes around it speak of the same classes and versions.
 *
 * What Node cannot resolve is left to esbuild, which knows tsconfig's `paths`.
 *
 * @param ownUrl URL of a file of the running millrace.
 */
export function packagePlugin(disk: Disk, ownUrl: string): Plugin {
  const exists = async (path: string): Promise<boolean> => {
    const info = await disk.info(path);
    return info !== undefined && !info.isDirectory;
  };

  const fromNode = async (args: OnResolveArgs): Promise<string | undefined> => {
    const isRequire = args.kind === "require-call" || args.kind === "require-resolve";
    const candidates = isRequire ? [byRequire] : [byImport, byRequire];
    for (const candidate of candidates) {
      const path = candidate(args.path, pathToFileURL(args.importer).href);
      if (path !== undefined && (await exists(path))) return path;
    }
    return undefined;
  };

  const isOwnPackage = async (path: string, importer: string): Promise<boolean> =>
    (await packageRoot(disk, path)) === (await packageRoot(disk, importer));

  const resolveBare = async (args: OnResolveArgs): Promise<OnResolveResult | undefined> => {
    if (args.path === "millrace" || args.path.startsWith("millrace/")) {
      const path = byImport(args.path, ownUrl);
      if (path === undefined || !(await exists(path))) return undefined;
      return outside(path, args.kind);
    }
    const path = await fromNode(args);
    if (path === undefined) return undefined;
    if (NEEDS_BUNDLING.test(path)) return { path };
    if (isInstalled(path) || !(await isOwnPackage(path, args.importer))) return outside(path, args.kind);
    return { path };
  };

  return {
    name: "millrace-packages",
    setup(build) {
      // Bare names, URLs and absolute Windows paths; and relative ones that lead where bare names do.
      build.onResolve({ filter: /^[^./]|node_modules|\.node$/, namespace: "file" }, async (args) => {
        if (args.kind === "entry-point" || args.pluginData === PASSED) return undefined;
        if (isBuiltin(args.path)) return { path: args.path, external: true };
        if (/^file:/i.test(args.path)) {
          const path = fileURLToPath(args.path);
          return isInstalled(path) ? outside(path, args.kind) : { path };
        }
        if (/^[a-z][a-z0-9+.-]+:/i.test(args.path)) return { path: args.path, external: true };
        if (!/^\.{0,2}[\\/]|^[a-z]:/i.test(args.path)) return resolveBare(args);
        if (args.path.endsWith(".node")) return outside(resolve(args.resolveDir, args.path), args.kind);
        if (isInstalled(args.importer)) return undefined;
        const { kind, importer, resolveDir } = args;
        const found = await build.resolve(args.path, { kind, importer, resolveDir, pluginData: PASSED });
        if (found.errors.length > 0 || NEEDS_BUNDLING.test(found.path)) return undefined;
        return isInstalled(found.path) ? outside(found.path, kind) : undefined;
      });
    },
  };
}

/** Marks a question that this plugin itself puts to esbuild. */
const PASSED = Symbol("passed");

function outside(path: string, kind: ImportKind): OnResolveResult {
  const isRequire = kind === "require-call" || kind === "require-resolve";
  return { path: isRequire ? path : pathToFileURL(path).href, external: true };
}

function isInstalled(path: string): boolean {
  return path.split(sep).includes("node_modules");
}

/** Needs `--experimental-import-meta-resolve`: without it Node ignores `parentUrl`. */
function byImport(specifier: string, parentUrl: string): string | undefined {
  try {
    const url = import.meta.resolve(specifier, parentUrl);
    return url.startsWith("file:") ? fileURLToPath(url) : undefined;
  } catch {
    return undefined;
  }
}

function byRequire(specifier: string, parentUrl: string): string | undefined {
  try {
    return createRequire(parentUrl).resolve(specifier);
  } catch {
    return undefined;
  }
}

async function packageRoot(disk: Disk, path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (folder === dirname(folder) || (await disk.info(join(folder, "package.json"))) !== undefined)
      return folder;
  }
}
