import { createPublicKey, X509Certificate } from "node:crypto";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";

/** What a client shows and trusts when it speaks TLS: PEM texts. */
export interface ClientTls {
  /** Authorities to trust instead of those that Node knows. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const CA = "MILLRACE_TLS_CA";
const CERTIFICATE = "MILLRACE_TLS_CLIENT_CERTIFICATE";
const PRIVATE_KEY = "MILLRACE_TLS_CLIENT_PRIVATE_KEY";
const PUBLIC_KEY = "MILLRACE_TLS_CLIENT_PUBLIC_KEY";

/**
 * Reads the files that `MILLRACE_TLS_CA` and `MILLRACE_TLS_CLIENT_…` name; nothing of what is not set.
 *
 * @throws UsageError MR_BAD_OPTION for a file that cannot be read or does not hold what it should, a certificate
 * without its key, or keys that belong to another certificate.
 */
export async function readClientTls(env: Env): Promise<ClientTls> {
  const ca = await readPem(env, CA, "CERTIFICATE");
  const cert = await readPem(env, CERTIFICATE, "CERTIFICATE");
  const key = await readPem(env, PRIVATE_KEY, "PRIVATE KEY");
  const publicKey = await readPem(env, PUBLIC_KEY, "PUBLIC KEY");
  if (cert === undefined && (key ?? publicKey) !== undefined)
    throw bad(key === undefined ? PUBLIC_KEY : PRIVATE_KEY, `it is of no use alone; set ${CERTIFICATE} too`);
  if (cert !== undefined && key === undefined)
    throw bad(CERTIFICATE, `it is of no use alone; set ${PRIVATE_KEY} too`);
  if (cert !== undefined && key !== undefined) checkPair(cert, key, publicKey);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

async function readPem(env: Env, name: string, kind: string): Promise<string | undefined> {
  const path = env.host.variable(name);
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = (await env.disk.readFile(path)).toString("utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw bad(name, `${path} cannot be read (${code}); name a PEM file`, error);
  }
  if (!new RegExp(`-----BEGIN [A-Z0-9 ]*${kind}-----`).test(text))
    throw bad(name, `${path} holds no PEM block that ends in "${kind}"; name a PEM file`);
  return text;
}

function checkPair(cert: string, key: string, publicKey: string | undefined): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    throw bad(CERTIFICATE, "its file holds no certificate that can be read", error);
  }
  let own: ReturnType<typeof createPublicKey>;
  try {
    own = createPublicKey(key);
  } catch (error) {
    throw bad(PRIVATE_KEY, "its file holds no key that can be read without a pass phrase", error);
  }
  if (!own.equals(certificate.publicKey)) throw bad(PRIVATE_KEY, `it is not the key of ${CERTIFICATE}`);
  if (publicKey !== undefined && !createPublicKey(publicKey).equals(certificate.publicKey))
    throw bad(PUBLIC_KEY, `it is not the key of ${CERTIFICATE}`);
}

function bad(name: string, problem: string, cause?: unknown): UsageError {
  return new UsageError("MR_BAD_OPTION", `${name}: ${problem}`, cause === undefined ? {} : { cause });
}
