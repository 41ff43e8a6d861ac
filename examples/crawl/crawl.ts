/**
 * Follows the links of a site from its first page on, each page once, and writes down what it finds:
 *
 *   seed -> crawl <-,  -> pages:  crawl-out/pages/…
 *             `-----'  -> broken: crawl-out/broken/…
 *
 *   millrace run examples/crawl/crawl.ts --param start=http://localhost:8000/ --param out=crawl-out
 *
 * Without `start` it crawls the small site in examples/crawl/site.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Context, many, pipeline } from "millrace";
import { z } from "zod";

const params = z.object({
  start: z.url().default(new URL("./site/index.html", import.meta.url).href),
  out: z.string().default("crawl-out"),
});
type Params = z.infer<typeof params>;

interface Link {
  readonly url: string;
  /** Links between it and the first page. */
  readonly depth: number;
}
interface Page extends Link {
  readonly title: string;
  readonly words: number;
  readonly links: readonly string[];
}
interface Broken extends Link {
  readonly problem: string;
}
type Found = Link | Page | Broken;

const p = pipeline("crawl", { params });

const seed = p.source("seed", (ctx: Context<Params>): Link[] => [{ url: ctx.params.start, depth: 0 }]);

const crawl = p.stage(
  "crawl",
  async (link: Link, ctx: Context<Params>) => {
    const html = await load(link.url, ctx.signal);
    if (html === undefined) return many<Found>([{ ...link, problem: "not found" }]);
    const links = linksOf(html, link.url).filter((url) => isWithin(url, ctx.params.start));
    const [, title = ""] = /<title>(.*?)<\/title>/is.exec(html) ?? [];
    const words = html.replace(/<[^>]*>/g, " ").match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
    const page: Page = { ...link, title: title.trim(), words, links };
    return many<Found>([page, ...links.map((url) => ({ url, depth: link.depth + 1 }))]);
  },
  // A link that was followed within the last day is not followed again, whichever page it stands on. That is known
  // after a crash, too.
  { instances: 2, concurrency: 4, dedupe: { by: (link) => link.url, windowMs: "1d" } },
);

const isPage = (found: Found): found is Page => "title" in found;
const isBroken = (found: Found): found is Broken => "problem" in found;
const isLink = (found: Found): found is Link => !isPage(found) && !isBroken(found);

const pages = p.sink("pages", (page: Page, ctx: Context<Params>) =>
  write(join(ctx.params.out, "pages"), page),
);
const broken = p.sink("broken", (link: Broken, ctx: Context<Params>) =>
  write(join(ctx.params.out, "broken"), link),
);

seed.to(crawl);
crawl.to(crawl, { when: isLink });
crawl.to(pages, { when: isPage });
crawl.to(broken, { when: isBroken });

export default p;

/** Text of a page; undefined when there is none. What else goes wrong is thrown: the link is tried again. */
async function load(url: string, signal: AbortSignal): Promise<string | undefined> {
  if (url.startsWith("file:")) {
    try {
      return await readFile(fileURLToPath(url), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
  const response = await fetch(url, { signal });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return await response.text();
}

/** Where the links of a page lead, each once, without what follows a #. */
function linksOf(html: string, base: string): string[] {
  const links = [...html.matchAll(/<a\s[^>]*href="([^"]*)"/gi)].map(([, href = ""]) => {
    const url = new URL(href, base);
    url.hash = "";
    return url.href;
  });
  return [...new Set(links)];
}

/** The site is what lies in the folder of its first page, or below. */
function isWithin(url: string, start: string): boolean {
  return url.startsWith(new URL(".", start).href);
}

/** A page may come twice, after a crash: it goes to the same file, which is there as a whole or not at all. */
async function write(folder: string, item: Page | Broken): Promise<void> {
  const hash = createHash("sha256").update(item.url).digest("hex").slice(0, 8);
  const name = new URL(item.url).pathname.split("/").at(-1) || "index";
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name.replace(/[^\w.-]/g, "_").slice(-80)}-${hash}.json`);
  await writeFile(`${path}.${process.pid}.new`, `${JSON.stringify(item, null, 2)}\n`);
  await rename(`${path}.${process.pid}.new`, path);
}
