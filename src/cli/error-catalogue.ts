import { readFileSync } from "node:fs";
import { ERROR_CODES, type ErrorCode, UsageError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/** What is told of an error code. Each text is Markdown of one or more paragraphs. */
export interface ErrorEntry {
  readonly code: ErrorCode;
  /** The group of codes that it belongs to. */
  readonly group: string;
  readonly meaning: string;
  readonly remedy: string;
  readonly example: string;
}

/** The page that is part of the package: what is printed here is what is read there. */
const PAGE = new URL("../../docs/reference/errors.md", import.meta.url);

/** All codes, in the order of the page. */
export function errorCatalogue(): ErrorEntry[] {
  const entries: ErrorEntry[] = [];
  let group = "";
  for (const part of readFileSync(PAGE, "utf8").split(/^(?=##)/m)) {
    const [, heading] = /^## (.+)\n/.exec(part) ?? [];
    if (heading !== undefined) group = heading;
    const [, code, text] = /^### (MR_\w+)\n([\s\S]*)$/.exec(part) ?? [];
    if (code === undefined || text === undefined || !Object.hasOwn(ERROR_CODES, code)) continue;
    const [meaning = "", rest = ""] = text.split("**What to do:**");
    const [remedy = "", example = ""] = rest.split("**Example:**");
    const texts = { meaning: meaning.trim(), remedy: remedy.trim(), example: example.trim() };
    entries.push({ code: code as ErrorCode, group, ...texts });
  }
  return entries;
}

/** One code, in whatever case, with or without its MR_. Throws UsageError MR_CODE_UNKNOWN, which suggests others. */
export function errorEntry(catalogue: readonly ErrorEntry[], given: string): ErrorEntry {
  const upper = given.trim().toUpperCase().replaceAll("-", "_");
  const code = upper.startsWith("MR_") ? upper : `MR_${upper}`;
  const entry = catalogue.find((known) => known.code === code);
  if (entry !== undefined) return entry;
  const near = nearest(
    code,
    catalogue.map((known) => known.code),
  );
  const advice =
    near.length === 0 ? "`millrace explain` lists them all" : `did you mean ${near.join(" or ")}?`;
  throw new UsageError("MR_CODE_UNKNOWN", `${JSON.stringify(given)}: there is no such error code; ${advice}`);
}
