import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { readClientTls } from "../../src/certs/tls-files.ts";
import type { Env } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { certificates } from "../support/certificates.ts";
import { findProgram, isMissing } from "../support/server-program.ts";
import { tempFolder } from "../support/temp-folder.ts";

function withVariables(variables: Readonly<Record<string, string>>): Env {
  return { ...nodeEnv, host: { ...nodeEnv.host, variable: (name) => variables[name] } };
}

test("nothing is read where nothing is set", async () => {
  expect(await readClientTls(withVariables({}))).toEqual({});
});

test("a file that is not there, or holds something else, is named with its variable", async () => {
  await expect(readClientTls(withVariables({ MILLRACE_TLS_CA: "/nowhere/ca.pem" }))).rejects.toThrow(
    "MILLRACE_TLS_CA: /nowhere/ca.pem cannot be read (ENOENT)",
  );
  await expect(readClientTls(withVariables({ MILLRACE_TLS_CA: "package.json" }))).rejects.toThrow(
    'MILLRACE_TLS_CA: package.json holds no PEM block that ends in "CERTIFICATE"',
  );
});

test.skipIf(isMissing("openssl"))(
  "certificates and keys are read, and those that do not go together refused",
  async () => {
    const { folder, path } = tempFolder();
    const { ca, cert, key } = certificates(folder);
    const publicKey = path("server.pub");
    execFileSync(findProgram("openssl") ?? "openssl", ["pkey", "-in", key, "-pubout", "-out", publicKey]);
    const CERTIFICATE = "MILLRACE_TLS_CLIENT_CERTIFICATE";
    const PRIVATE_KEY = "MILLRACE_TLS_CLIENT_PRIVATE_KEY";
    const all = {
      MILLRACE_TLS_CA: ca,
      [CERTIFICATE]: cert,
      [PRIVATE_KEY]: key,
      MILLRACE_TLS_CLIENT_PUBLIC_KEY: publicKey,
    };

    expect(await readClientTls(withVariables(all))).toEqual({
      ca: expect.stringContaining("BEGIN CERTIFICATE"),
      cert: expect.stringContaining("BEGIN CERTIFICATE"),
      key: expect.stringContaining("PRIVATE KEY"),
    });
    const refused: [Record<string, string>, string][] = [
      [{ [CERTIFICATE]: cert }, `${CERTIFICATE}: it is of no use alone; set ${PRIVATE_KEY} too`],
      [{ [PRIVATE_KEY]: key }, `${PRIVATE_KEY}: it is of no use alone; set ${CERTIFICATE} too`],
      [{ ...all, [CERTIFICATE]: ca }, `${PRIVATE_KEY}: it is not the key of ${CERTIFICATE}`],
    ];
    for (const [variables, message] of refused)
      await expect(readClientTls(withVariables(variables))).rejects.toThrow(message);
  },
);
