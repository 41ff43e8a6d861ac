import type { Disk } from "../env/env.ts";

/** Whether a path is a pattern: has `*`, `?`, `[…]` or `{…,…}` in it. */
export function isGlob(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * Files that match a pattern, sorted by their text. `*` and `?` stay within a name and do not match a dot at its
 * start, `**` is any number of folders, `[a-z]` one of these characters, `{a,b}` one of these texts. Symbolic links to
 * folders are not followed by `**`.
 */
export async function glob(disk: Disk, pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const alternative of withoutBraces(pattern)) {
    const isAbsolute = /^(?:\/|[a-z]:[\\/])/i.test(alternative);
    const segments = alternative
      .split(/[\\/]/)
      .filter((segment, i) => segment !== "" || (i === 0 && isAbsolute));
    const [first = "", ...rest] = segments;
    if (isAbsolute) await walk(disk, `${first}/`, rest, found);
    else await walk(disk, "", segments, found);
  }
  return [...found].sort((a, b) => (a < b ? -1 : 1));
}

async function walk(
  disk: Disk,
  folder: string,
  segments: readonly string[],
  found: Set<string>,
): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  if (segment === "**") {
    // No folder at all, or one more below each.
    await walk(disk, folder, rest.length === 0 ? ["*"] : rest, found);
    for (const name of await names(disk, folder)) {
      if (name.startsWith(".")) continue;
      const info = await disk.info(folder + name, { ofLink: true });
      if (info?.isDirectory === true) await walk(disk, `${folder}${name}/`, segments, found);
    }
    return;
  }
  const matches = isGlob(segment)
    ? (await names(disk, folder)).filter((name) => matcher(segment).test(name))
    : [segment];
  for (const name of matches) {
    const path = folder + name;
    const info = await disk.info(path);
    if (info === undefined) continue;
    if (rest.length === 0) {
      if (!info.isDirectory) found.add(path);
    } else if (info.isDirectory) await walk(disk, `${path}/`, rest, found);
  }
}

async function names(disk: Disk, folder: string): Promise<string[]> {
  try {
    return await disk.list(folder === "" ? "." : folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

function matcher(segment: string): RegExp {
  let source = "";
  for (let i = 0; i < segment.length; i++) {
    const char = segment.charAt(i);
    const end = char === "[" ? segment.indexOf("]", i + 2) : -1;
    if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (end > 0) {
      const set = segment.slice(i + 1, end).replace(/[\\[\]]/g, "\\$&");
      source += `[${set.startsWith("!") ? `^${set.slice(1)}` : set}]`;
      i = end;
    } else source += char.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
  }
  return new RegExp(`^${segment.startsWith(".") ? "" : "(?!\\.)"}${source}$`, "su");
}

/** `a{b,c}d` as `abd` and `acd`; braces may stand in braces. What has no comma or no end is text. */
function withoutBraces(pattern: string): string[] {
  for (let open = pattern.indexOf("{"); open >= 0; open = pattern.indexOf("{", open + 1)) {
    const commas: number[] = [];
    let depth = 0;
    for (let i = open; i < pattern.length; i++) {
      const char = pattern.charAt(i);
      if (char === "{") depth++;
      else if (char === "," && depth === 1) commas.push(i);
      else if (char === "}" && --depth === 0) {
        if (commas.length === 0) break;
        const cuts = [open, ...commas, i];
        return commas
          .concat(i)
          .flatMap((cut, n) =>
            withoutBraces(
              pattern.slice(0, open) + pattern.slice((cuts[n] as number) + 1, cut) + pattern.slice(i + 1),
            ),
          );
      }
    }
  }
  return [pattern];
}
