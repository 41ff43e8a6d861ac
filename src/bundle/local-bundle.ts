import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type OutputFile } from "esbuild";
import type { Disk, Env } from "../env/env.ts";
import { DataDirectoryError, ensureError } from "../errors.ts";
import { compileError, isBuildFailure } from "./compile-error.ts";
import { FILE_META_DEFINE, fileMetaPlugin } from "./file-meta-plugin.ts";
import { packagePlugin } from "./package-plugin.ts";

/** An older bundle is written again: as long as it looks new, nobody removes it who does not know of its run yet. */
const FRESH_MS = 24 * 60 * 60 * 1_000;

export interface LocalBundle {
  /** Absolute path of the bundle, `<outDirectory>/<hash>.mjs`. */
  readonly path: string;
  /** SHA-256 of its content, hexadecimal. */
  readonly hash: string;
  /** Absolute, real paths of the user's files in it. */
  readonly files: readonly string[];
}

/**
 * Makes a user's module, TypeScript or JavaScript, importable by this machine's Node: the user's own files become one
 * file, packages stay where they are and are named by absolute URLs. Its source map leads to the user's lines under
 * `node --enable-source-maps`.
 *
 * Works only in a process started with `--experimental-import-meta-resolve`; it loads esbuild, so keep it out of
 * long-lived ones.
 *
 * @param modulePath absolute.
 * @param outDirectory absolute; made when missing. A bundle that is there already, and not old, is left alone.
 * @throws UsageError MR_MODULE_INVALID (does not compile) or MR_MODULE_NOT_FOUND (an import leads nowhere);
 *   DataDirectoryError MR_DATA_UNWRITABLE.
 */
export async function bundleLocally(
  env: Pick<Env, "disk" | "clock">,
  modulePath: string,
  outDirectory: string,
): Promise<LocalBundle> {
  const { disk } = env;
  // Relative to the module, so that the hash does not depend on where the command was typed.
  const entry = realPath(modulePath);
  const folder = dirname(entry);
  const { code, map, inputs } = await compile(disk, entry, folder, outDirectory);
  const content = withSourceMap(code, map, outDirectory);
  const hash = createHash("sha256").update(content).digest("hex");
  const path = join(outDirectory, `${hash}.mjs`);
  try {
    await disk.makeDirectory(outDirectory);
    const { modifiedMs = 0 } = (await disk.info(path)) ?? {};
    if (env.clock.now() - modifiedMs > FRESH_MS) await disk.replaceFile(path, content);
  } catch (cause) {
    const problem = ensureError(cause).message;
    const message = `${outDirectory}: the bundle cannot be written: ${problem}; make room or give write access`;
    throw new DataDirectoryError("MR_DATA_UNWRITABLE", message, { cause, details: { path } });
  }
  return {
    path,
    hash,
    files: inputs.filter((name) => !isVirtual(name)).map((name) => resolve(folder, name)),
  };
}

/** esbuild names files by their real paths, as Node does; relative ones must start from such a place too. */
function realPath(path: string): string {
  return createRequire(pathToFileURL(path)).resolve(path);
}

interface Compiled {
  readonly code: string;
  readonly map: string;
  readonly inputs: readonly string[];
}

async function compile(
  disk: Disk,
  modulePath: string,
  folder: string,
  outDirectory: string,
): Promise<Compiled> {
  try {
    const result = await build({
      absWorkingDir: folder,
      entryPoints: [modulePath],
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      outfile: join(outDirectory, "bundle.mjs"),
      write: false,
      metafile: true,
      sourcemap: "external",
      sourcesContent: false,
      charset: "utf8",
      legalComments: "none",
      // A project's own `sideEffects: false` must not drop an import that is written for its effect.
      ignoreAnnotations: true,
      logLevel: "silent",
      define: { ...FILE_META_DEFINE },
      plugins: [
        // First: the imports that it adds are its own to resolve.
        fileMetaPlugin(disk, new URL("../bundle/file-meta.js", import.meta.url).href),
        packagePlugin(disk, import.meta.url),
      ],
    });
    const text = (isWanted: (file: OutputFile) => boolean): string =>
      result.outputFiles.find(isWanted)?.text ?? "";
    const code = text((file) => !file.path.endsWith(".map"));
    return {
      code: needsRequire(code) ? `${requireShim(modulePath)}\n${code}` : code,
      map: shifted(
        text((file) => file.path.endsWith(".map")),
        needsRequire(code),
      ),
      inputs: Object.keys(result.metafile.inputs),
    };
  } catch (thrown) {
    throw isBuildFailure(thrown) ? compileError(thrown, modulePath, folder) : thrown;
  }
}

/** esbuild's stand-in for `require` looks for a real one; it is there when a CommonJS file needs it. */
function needsRequire(code: string): boolean {
  return code.includes("var __require = ");
}

function requireShim(modulePath: string): string {
  const url = JSON.stringify(pathToFileURL(modulePath).href);
  return `import { createRequire as __millraceRequire } from "node:module"; const require = __millraceRequire(${url});`;
}

function shifted(map: string, byOneLine: boolean): string {
  if (!byOneLine) return map;
  const parsed = JSON.parse(map) as { mappings: string };
  return JSON.stringify({ ...parsed, mappings: `;${parsed.mappings}` });
}

/** The map names the user's files by absolute URLs: a bundle reached through a symbolic link still leads to them. */
function withSourceMap(code: string, map: string, outDirectory: string): string {
  const parsed = JSON.parse(map) as { sources: string[] };
  const sources = parsed.sources.map((name) =>
    isVirtual(name) ? name : pathToFileURL(resolve(outDirectory, name)).href,
  );
  const encoded = Buffer.from(JSON.stringify({ ...parsed, sources })).toString("base64");
  return `${code}//# sourceMappingURL=data:application/json;base64,${encoded}\n`;
}

/** Modules that exist only inside the bundler are named `namespace:path`. */
function isVirtual(name: string): boolean {
  return /^[a-z][a-z-]+:/.test(name);
}
