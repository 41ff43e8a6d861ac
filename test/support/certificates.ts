import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, ServerMissingError } from "./server-program.ts";

/** Paths of PEM files. */
export interface Certificates {
  /** Of the authority that signed `cert`. */
  readonly ca: string;
  /** For the host names 127.0.0.1 and localhost. */
  readonly cert: string;
  readonly key: string;
  /** Of an authority that signed nothing here: a client that trusts it alone must refuse the server. */
  readonly otherCa: string;
}

/** Certificates of a server of the tests, in this folder; those that are there already are used again. */
export function certificates(folder: string): Certificates {
  const at = (name: string): string => join(folder, name);
  const files = {
    ca: at("ca.pem"),
    cert: at("server.pem"),
    key: at("server.key"),
    otherCa: at("other-ca.pem"),
  };
  if (existsSync(files.cert)) return files;
  const program = findProgram("openssl");
  if (program === undefined) throw new ServerMissingError("openssl");
  const openssl = (...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: "pipe" });
  mkdirSync(folder, { recursive: true });
  // Named here whole: the machine's own openssl.cnf must not add to them.
  writeFileSync(at("openssl.cnf"), CONFIG);
  for (const name of ["ca", "other-ca"]) {
    makeKey(openssl, `${name}.key`);
    openssl(
      ...["req", "-x509", "-new", "-config", "openssl.cnf", "-extensions", "authority", "-days", "30"],
      ...["-key", `${name}.key`, "-subj", `/CN=millrace test ${name}`, "-out", `${name}.pem`],
    );
  }
  makeKey(openssl, "server.key");
  openssl(
    ...["req", "-new", "-config", "openssl.cnf", "-key", "server.key", "-subj", "/CN=127.0.0.1"],
    ...["-out", "server.csr"],
  );
  openssl(
    ...["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2"],
    ...["-days", "30", "-extfile", "openssl.cnf", "-extensions", "server", "-out", "server.pem"],
  );
  return files;
}

function makeKey(openssl: (...args: string[]) => unknown, file: string): void {
  openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file);
}

const CONFIG = `[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
`;
