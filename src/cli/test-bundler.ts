import { bundleLocally } from "../bundle/local-bundle.ts";
import { nodeEnv } from "../env/node.ts";
import { ensureError, MillraceError } from "../errors.ts";
import type { BundlerMessage } from "./test-messages.ts";

/** Started by `millrace test` with the folder for bundles and the test files: only such a process may bundle. */
async function main([folder = "", ...files]: readonly string[]): Promise<void> {
  let message: BundlerMessage;
  try {
    const paths: string[] = [];
    for (const file of files) paths.push((await bundleLocally(nodeEnv, file, folder)).path);
    message = { kind: "bundled", paths };
  } catch (thrown) {
    const error = ensureError(thrown);
    const code = error instanceof MillraceError ? error.code : "MR_INTERNAL";
    message = { kind: "failed", code, message: error.message };
  }
  process.send?.(message, () => process.exit(0));
}

await main(process.argv.slice(2));
