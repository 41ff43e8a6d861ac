import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

interface Skip {
  readonly test: string;
  readonly without?: string;
}

const repository = fileURLToPath(new URL("../..", import.meta.url));
const skips = JSON.parse(readFileSync(join(repository, "test/support/skips.json"), "utf8")) as Skip[];
const PROGRAMS: Readonly<Record<string, string>> = {
  nats: "nats-server",
  "nats-cluster": "nats-server-2.10",
  postgres: "postgres",
  rabbitmq: "rabbitmq-server",
  redis: "redis-server",
};
const files = readdirSync(join(repository, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name));

test("a test that starts a real server says which, and is left out with a reason where that is missing", () => {
  const faults = files.flatMap((file) => {
    const text = readFileSync(join(repository, file), "utf8");
    // A driver in src/ may bear the name of its server: only what comes from the support folder starts one.
    const from = file.startsWith("test/support/") ? "\\./" : "[./]+/support/";
    const imports = text.matchAll(
      new RegExp(`from "${from}(nats-cluster|nats|postgres|rabbitmq|redis)\\.ts"`, "g"),
    );
    const started = [...imports].map((found) => PROGRAMS[found[1] ?? ""] ?? "");
    return started.flatMap((program) => [
      ...(text.includes("isMissing(") && text.includes(`"${program}"`)
        ? []
        : [`${file}: skipIf(isMissing("${program}")) from test/support/server-program.ts is not there`]),
      ...(skips.some((skip) => skip.without === program && skip.test.startsWith(`${file} > `))
        ? []
        : [`${file}: { "test": "${file} > *", "without": "${program}", "reason": … } is not in skips.json`]),
    ]);
  });
  expect(faults).toEqual([]);
});

test("every reason for a skip is about a file that exists", () => {
  const gone = skips
    .map((skip) => skip.test.split(" > ")[0] ?? "")
    .filter((file) => !existsSync(join(repository, file)));
  expect(gone).toEqual([]);
});
