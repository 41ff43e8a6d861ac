// A nats-server that may form a cluster: one before 2.10.27 can lose acknowledged messages there when a server
// freezes. Debian 12 has 2.9; that of Debian 13 is unpacked aside and never installed.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export const newerNats = {
  /** The name it bears in test/support/servers.json and in the folder. */
  program: "nats-server-2.10",

  /** Puts it into the folder: a copy of the one on the PATH when that is new enough, else Debian 13's. */
  put(folder, mayDownload) {
    mkdirSync(folder, { recursive: true });
    const own = spawnSync("sh", ["-c", "command -v nats-server"], { encoding: "utf8" }).stdout?.trim();
    if (own && isNewEnough(own)) keep(own, folder);
    else if (mayDownload) unpackAside(folder);
  },
};

function unpackAside(folder) {
  const work = mkdtempSync(join(tmpdir(), "millrace-apt-"));
  try {
    writeFileSync(
      join(work, "sources.list"),
      `deb [signed-by=${KEYRING}] http://deb.debian.org/debian trixie main\n`,
    );
    mkdirSync(join(work, "lists", "partial"), { recursive: true });
    mkdirSync(join(work, "cache", "archives", "partial"), { recursive: true });
    // Lists and a cache of its own: the machine's own apt never hears of the other release.
    const settings = {
      "Dir::Etc::SourceList": join(work, "sources.list"),
      "Dir::Etc::SourceParts": "/nonexistent",
      "Dir::State::Lists": join(work, "lists"),
      "Dir::Cache": join(work, "cache"),
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const run = (command, ...args) =>
      spawnSync(command, args, { cwd: work, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
    if (!run("apt-get", ...options, "-qq", "update")) return;
    if (!run("apt-get", ...options, "-qq", "download", "nats-server")) return;
    const archive = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (archive === undefined || !run("dpkg", "-x", archive, "unpacked")) return;
    const program = join(work, "unpacked", "usr", "sbin", "nats-server");
    if (isNewEnough(program)) keep(program, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Whole or not at all: a test may look while it is copied. */
function keep(program, folder) {
  const part = join(folder, `.${newerNats.program}-${process.pid}`);
  copyFileSync(program, part);
  renameSync(part, join(folder, newerNats.program));
}

function isNewEnough(program) {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const [major = 0, minor = 0, patch = 0] = (/(\d+)\.(\d+)\.(\d+)/.exec(stdout ?? "") ?? [])
    .slice(1)
    .map(Number);
  return major > 2 || (major === 2 && (minor > 10 || (minor === 10 && patch >= 27)));
}
