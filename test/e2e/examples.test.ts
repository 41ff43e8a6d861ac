import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { countsOf, unsettled } from "../support/cli-project.ts";
import { runCli } from "../support/run-cli.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LIMIT = { timeout: 90_000 };
const repository = fileURLToPath(new URL("../..", import.meta.url));

async function runExample(folder: string, name: string, args: readonly string[] = []) {
  const module = join(repository, `examples/${name}/${name}.ts`);
  const result = await runCli(["run", module, "--json", ...args], { cwd: folder, timeoutMs: 80_000 });
  expect(result.stderr).not.toMatch(/MR_/);
  expect(result.code).toBe(0);
  expect(unsettled(result.json)).toEqual({});
  return countsOf(result.json);
}

test(
  "flights: the totals are those of a plain computation, and every bad row is set aside",
  LIMIT,
  async () => {
    const data = join(repository, "node_modules/vega-datasets/data");
    const { folder, path, write } = tempFolder();
    const routes = readFileSync(join(data, "flights-airport.csv"), "utf8");
    write("routes/a.csv", routes);
    write(
      "routes/b.csv",
      'origin,destination,count\nJFK,LAX,many\nJFK,MOON,1\n"JFK,LAX,3\nJFK,SFO\nLAX,OGG,\n',
    );
    const counts = await runExample(folder, "flights", ["--param", "routes=routes/*.csv"]);
    expect(counts.rejected?.completed).toBe(5);
    expect(readdirSync(path("flights-out/rejected")).sort()).toEqual([
      "JFK-MOON.json",
      "LAX-OGG.json",
      "line-2.json",
      "line-4.json",
      "line-5.json",
    ]);

    // From the right: a name may have a comma in it, nothing behind it has.
    const places = new Map(
      readFileSync(join(data, "airports.csv"), "utf8")
        .trim()
        .split(/\r?\n/)
        .map((line) => [line.split(",")[0], line.split(",").slice(-4)] as const),
    );
    const states = new Map<string, { airports: Set<string>; flights: number; km: number }>();
    for (const line of routes.trim().split(/\r?\n/).slice(1)) {
      const [from = "", to = "", count] = line.split(",");
      const [state = "", , ...a] = places.get(from) ?? [];
      const [, , ...b] = places.get(to) ?? [];
      const sums = states.get(state) ?? { airports: new Set(), flights: 0, km: 0 };
      sums.airports.add(from);
      sums.flights += Number(count);
      sums.km += Number(count) * distance(a.map(Number), b.map(Number));
      states.set(state, sums);
    }
    const expected = [...states]
      .sort(([a, m], [b, n]) => n.flights - m.flights || (a < b ? -1 : 1))
      .map(
        ([state, { airports, flights, km }]) =>
          `${state},${airports.size},${flights},${Math.round(km / flights)}`,
      );
    const csv = readFileSync(path("flights-out/states.csv"), "utf8").trim().split("\n");
    expect(csv).toEqual(["state,airports,flights,mean_km", ...expected]);
    const map = readFileSync(path("flights-out/map.svg"), "utf8");
    expect(map).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(map).toMatch(/<title>ATL: \d+ flights<\/title>/);
  },
);

test(
  "crawl: each page of a site once, over links in circles; links that lead nowhere are told",
  LIMIT,
  async () => {
    const site = join(repository, "examples/crawl/site");
    const asked: string[] = [];
    const server = createServer(({ url = "" }, response) => {
      asked.push(url);
      try {
        response.end(readFileSync(join(site, url)));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { folder, path } = tempFolder();
    const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const counts = await runExample(folder, "crawl", ["--param", `start=${root}index.html`]);

    const files = readdirSync(site, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".html"),
    );
    expect(asked.sort()).toEqual([...files.map((name) => `/${name}`), "/stones.html"].sort());
    const found = (kind: string) =>
      readdirSync(path(`crawl-out/${kind}`)).map((name) =>
        JSON.parse(readFileSync(path(`crawl-out/${kind}/${name}`), "utf8")),
      );
    const pages = found("pages") as { url: string; title: string; depth: number; words: number }[];
    expect(pages.map(({ url }) => url).sort()).toEqual(files.map((name) => root + name).sort());
    expect(pages.find(({ title }) => title === "Tide mills")).toMatchObject({ depth: 2 });
    expect(found("broken")).toEqual([{ url: `${root}stones.html`, depth: 2, problem: "not found" }]);
    expect(counts.crawl).toMatchObject({ completed: files.length + 1 });
    expect(counts.crawl?.discarded).toBeGreaterThan(5);
  },
);

test(
  "basic: four stages in a row over 75 random messages, in one to four processes each: every result is right",
  LIMIT,
  async () => {
    const { folder, path } = tempFolder();
    const counts = await runExample(folder, "basic", ["--param", "seed:=42"]);
    for (const stage of ["trim", "words", "longest", "shout"])
      expect(counts[stage]).toEqual({ accepted: 75, completed: 75, emitted: 75 });
    const given = new Set<string>();
    for (let n = 0; n < 75; n++) {
      const [message = "", result] = readFileSync(path(`basic-out/${n}.txt`), "utf8").split("\n");
      given.add(message);
      const words = message.match(/[a-z]+/g) ?? [];
      const length = Math.max(...words.map((word) => word.length));
      expect(result).toBe(`${words.find((word) => word.length === length)?.toUpperCase()}!`);
    }
    expect(given.size).toBe(75);
  },
);

/** Along the great circle, by the law of cosines. */
function distance([lat1 = 0, lon1 = 0]: number[], [lat2 = 0, lon2 = 0]: number[]): number {
  const rad = Math.PI / 180;
  const cos =
    Math.sin(lat1 * rad) * Math.sin(lat2 * rad) +
    Math.cos(lat1 * rad) * Math.cos(lat2 * rad) * Math.cos((lon2 - lon1) * rad);
  return 6_371 * Math.acos(Math.min(1, cos));
}
