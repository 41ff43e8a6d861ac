import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { blob, pipeline, run, type StoredBlob } from "millrace";
import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

/** All files in the blob folders of a project's runs. */
function blobFiles(data: string): string[] {
  return readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith("blobs"))
    .map((entry) => join(entry.parentPath, entry.name));
}

const MODULE = `
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { blob, pipeline, type StoredBlob } from "millrace";
import { note } from "./note.ts";

interface Image { readonly name: string; readonly content: StoredBlob }

const p = pipeline("images");
const feed = p.source("feed", async function* () {
  for (const [i, name] of ["a", "b", "c"].entries()) {
    const pieces = Array.from({ length: 5 }, (_, piece) => Buffer.alloc(1_000_000, i * 16 + piece));
    yield { name, content: await blob(pieces) };
  }
});
const again = { attempts: 2, backoff: { initialMs: 1, jitter: "none" } } as const;
const check = p.stage("check", async (image: Image, ctx) => {
  if (image.name === "b" && ctx.item.attempt === 1) throw new Error("not yet");
  if (image.name === "c" && !existsSync("fixed")) throw new Error("never");
  const hash = createHash("sha256");
  for await (const piece of image.content.stream()) hash.update(piece);
  return { ...image, hash: hash.digest("hex") };
}, { retry: again });
const left = p.sink("left", async ({ name, content, hash }) => note({ side: "left", name, hash, size: (await content.bytes()).length }));
const right = p.sink("right", async ({ name, content }) => note({ side: "right", name, size: content.size }));
feed.to(check).to(left);
check.to(right);
export default p;
`;

const hashOf = (i: number): string => {
  const hash = createHash("sha256");
  for (let piece = 0; piece < 5; piece++) hash.update(Buffer.alloc(1_000_000, i * 16 + piece));
  return hash.digest("hex");
};

test("a blob goes with its item through stages, retries and branches, and is removed when the last delivery is settled", async () => {
  const project = cliProject({ "images.ts": MODULE });
  const { code } = await project.run("images.ts");
  // "c" is a dead letter: the run is done, in part.
  expect(code).toBe(8);
  const notes = project.notes<{ side: string; name: string; hash?: string; size: number }>();
  expect(notes.sort((a, b) => (a.side + a.name).localeCompare(b.side + b.name))).toEqual([
    { side: "left", name: "a", hash: hashOf(0), size: 5_000_000 },
    { side: "left", name: "b", hash: hashOf(1), size: 5_000_000 },
    { side: "right", name: "a", size: 5_000_000 },
    { side: "right", name: "b", size: 5_000_000 },
  ]);
  // A dead letter keeps what it refers to.
  expect(blobFiles(project.data)).toHaveLength(1);
  const [letter] = await project.deadLetters("images/check");
  expect(JSON.stringify(letter)).toContain('"size":5000000');

  // Put back it is read once more, and goes when it is done.
  project.write("fixed", "");
  const replayed = await project.millrace(["dead", "replay", "images", "--all", "--data", project.data]);
  expect([replayed.code, replayed.stderr]).toEqual([0, expect.not.stringContaining("MR_")]);
  expect(project.notes<{ name: string }>().filter(({ name }) => name === "c")).toEqual(
    expect.arrayContaining([
      { side: "left", name: "c", hash: hashOf(2), size: 5_000_000 },
      { side: "right", name: "c", size: 5_000_000 },
    ]),
  );
  expect(blobFiles(project.data)).toEqual([]);
});

test("blobs work in a run inside this process, and blob() outside a run says where it belongs", async () => {
  await expect(blob("x")).rejects.toMatchObject({ code: "MR_USAGE" });
  const p = pipeline("in-process-blobs");
  const texts: string[] = [];
  const kept: StoredBlob[] = [];
  p.source("feed", async function* () {
    yield { content: await blob(["Grüße", " ", Buffer.from("both")]) };
  }).to(
    p.sink("out", async ({ content }: { content: StoredBlob }) => {
      texts.push(await content.text());
      kept.push(content);
    }),
  );
  const result = await run(p);
  expect(result.status).toBe("completed");
  expect(texts).toEqual(["Grüße both"]);
  // Its item is settled: nothing refers to it any more.
  await expect((kept[0] as StoredBlob).bytes()).rejects.toMatchObject({ code: "MR_BLOB_UNAVAILABLE" });
});
