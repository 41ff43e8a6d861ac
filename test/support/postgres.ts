import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Certificates, certificates } from "./certificates.ts";
import { commandLine, descendants, killTree } from "./process-tree.ts";
import { type RunningServer, serverFolder, startServer } from "./server-process.ts";
import { findProgram, ServerMissingError } from "./server-program.ts";

export interface PostgresOptions {
  /** Where it keeps its files; by default a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** By default a free port of 127.0.0.1; name it to start a killed server again. */
  readonly port?: number;
  /** Of the user `mill`, who owns the database `postgres`. By default `mill`. */
  readonly password?: string;
  /** Refuses whoever does not speak TLS; with certificates that are made in the folder. */
  readonly tls?: boolean;
  /** More lines for postgresql.conf. */
  readonly config?: readonly string[];
}

export interface PostgresServer extends RunningServer {
  /** With `tls`: the files that a client needs. */
  readonly certificates: Certificates | undefined;
  /** The same server again after `kill`: same port, folder and options. */
  restart(): Promise<PostgresServer>;
}

/** As whom it runs: PostgreSQL refuses to be root. */
interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

export class PostgresMissingError extends ServerMissingError {
  constructor() {
    super("postgres");
    this.name = "PostgresMissingError";
  }
}

/**
 * A real PostgreSQL of its own on 127.0.0.1, with a cluster of its own that only the user `mill` may enter. Resolves
 * when it takes connections. Throws {@link PostgresMissingError} where there is none.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const program = findProgram("postgres");
  if (program === undefined) throw new PostgresMissingError();
  const { folder, remove } = serverFolder("postgres", options.folder);
  try {
    const account = accountOf();
    give(folder, account);
    if (!existsSync(join(folder, "data"))) initialise(options, program, folder, account);
    const tls = options.tls === true ? certificates(join(folder, "tls")) : undefined;
    if (tls) for (const file of [dirname(tls.key), tls.key, tls.cert]) give(file, account);
    return await start(options, program, folder, remove, tls, account);
  } catch (error) {
    remove();
    throw error;
  }
}

async function start(
  options: PostgresOptions,
  program: string,
  folder: string,
  remove: () => void,
  tls: Certificates | undefined,
  account: Account,
): Promise<PostgresServer> {
  const data = join(folder, "data");
  const { process: server, port } = await startServer(options.port, (port) => {
    writeFileSync(join(data, "millrace.conf"), configuration(options, folder, port, tls));
    return {
      command: program,
      args: ["-D", data, "-c", `config_file=${join(data, "millrace.conf")}`],
      options: { ...account, cwd: folder, env: { ...process.env, LC_ALL: "C" } },
      awaited: "that it takes connections",
      isReady: (pid) => saysReady(data, pid),
    };
  });
  return {
    port,
    pid: server.pid,
    folder,
    url: `postgres://mill:${encodeURIComponent(passwordOf(options))}@127.0.0.1:${port}/postgres`,
    certificates: tls,
    printed: server.printed,
    async stop() {
      // "Fast": clients that are still there are cut off, transactions under way rolled back.
      await server.end("SIGINT");
      remove();
    },
    async kill() {
      // Its own processes too: they would notice its death, but not at once, and until then it can't start again.
      const own = descendants(server.pid);
      killTree(server.pid);
      await server.end("SIGKILL");
      while (own.some((pid) => commandLine(pid) !== ""))
        await new Promise((resolve) => setTimeout(resolve, 10));
    },
    restart: () => start({ ...options, port }, program, folder, remove, tls, account),
  };
}

function passwordOf(options: PostgresOptions): string {
  return options.password ?? "mill";
}

function initialise(options: PostgresOptions, program: string, folder: string, account: Account): void {
  const password = join(folder, "password");
  writeFileSync(password, `${passwordOf(options)}\n`, { mode: 0o600 });
  give(password, account);
  execFileSync(
    join(dirname(program), "initdb"),
    [
      ...["-D", join(folder, "data"), "-U", "mill", "--pwfile", password, "--auth", "scram-sha-256"],
      ...["--encoding", "UTF8", "--locale", "C", "--no-sync"],
    ],
    { ...account, cwd: folder, env: { ...process.env, LC_ALL: "C" }, stdio: "pipe" },
  );
}

function configuration(
  options: PostgresOptions,
  folder: string,
  port: number,
  tls: Certificates | undefined,
): string {
  const access = tls ? "hostssl" : "host";
  writeFileSync(join(folder, "data", "pg_hba.conf"), `${access} all all 127.0.0.1/32 scram-sha-256\n`);
  return [
    "include 'postgresql.conf'",
    "listen_addresses = '127.0.0.1'",
    `port = ${port}`,
    `unix_socket_directories = '${folder}'`,
    // A killed process loses nothing that it has written; without this a start after a kill flushes file by file.
    "fsync = off",
    ...(tls ? ["ssl = on", `ssl_cert_file = '${tls.cert}'`, `ssl_key_file = '${tls.key}'`] : []),
    ...(options.config ?? []),
    "",
  ].join("\n");
}

/** The server writes its pid and its state into a file of its own data folder: nobody else's word counts. */
function saysReady(data: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
    return lines[0]?.trim() === `${pid}` && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

/** The account that its package makes; where root has no such account, nobody. */
function accountOf(): Account {
  if (process.getuid?.() !== 0) return {};
  const number = (...args: string[]) => {
    const { status, stdout } = spawnSync("id", args, { encoding: "utf8" });
    return status === 0 ? Number(stdout) : undefined;
  };
  const uid = number("-u", "postgres");
  const gid = number("-g", "postgres");
  return uid === undefined || gid === undefined ? { uid: 65_534, gid: 65_534 } : { uid, gid };
}

function give(path: string, account: Account): void {
  if (account.uid !== undefined && account.gid !== undefined) chownSync(path, account.uid, account.gid);
}
