import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readConfigFile } from "../../src/cli/config-file.ts";

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test("a folder without a file has no settings", async () => {
  expect(await readConfigFile(folderWith({}))).toEqual({});
});

test.each([
  ["millrace.config.json", '{ "data": "kept", "streams": "file:", "instances": { "check": 4 } }'],
  [
    "millrace.config.ts",
    `import { DATA } from "./place.ts";
     interface Instances { check: number }
     console.log("a config file may print");
     export default { data: DATA, streams: "file:", instances: { check: 4 } satisfies Instances };
     setInterval(() => {}, 1_000);`,
  ],
])("%s", async (name, text) => {
  const folder = folderWith({ [name]: text, "place.ts": 'export const DATA: string = "kept";' });

  expect(await readConfigFile(folder)).toEqual({ data: "kept", streams: "file:", instances: { check: 4 } });
});

test.each([
  [
    { "millrace.config.json": '{ "dta": "x" }' },
    /MR_BAD_OPTION .*"dta" \(did you mean data\?\); there are data, streams, keepFree, instances/,
  ],
  [
    { "millrace.config.json": '{ "instances": { "check": 0 } }' },
    /MR_BAD_OPTION .*instances is .*"check":0.*integers from 1/,
  ],
  [{ "millrace.config.json": '{ "data": 7 }' }, /MR_BAD_OPTION .*data is 7/],
  [{ "millrace.config.json": "[]" }, /MR_BAD_OPTION .*an object/],
  [{ "millrace.config.json": "{" }, /MR_MODULE_INVALID .*millrace\.config\.json/],
  [{ "millrace.config.ts": "export const data = 1;" }, /MR_MODULE_INVALID .*No matching export/],
  [{ "millrace.config.ts": "export default {" }, /MR_MODULE_INVALID .*millrace\.config\.ts:1/],
  [
    { "millrace.config.ts": 'throw new RangeError("not today"); export default {};' },
    /MR_MODULE_INVALID .*RangeError: not today/,
  ],
  [{ "millrace.config.ts": "export default 5;" }, /MR_BAD_OPTION .*it gives 5/],
  [{ "millrace.config.ts": "export default {}", "millrace.config.json": "{}" }, /MR_USAGE .*both/],
])("%j is refused", async (files, message) => {
  const folder = folderWith(files as Record<string, string>);

  await expect(
    readConfigFile(folder).catch((error: { code: string; message: string }) => {
      throw new Error(`${error.code} ${error.message}`);
    }),
  ).rejects.toThrow(message);
});
