// Installs the real servers that the tests start: RabbitMQ, NATS, Redis, PostgreSQL. On Debian and Ubuntu, as root;
// elsewhere it says what to install, and the tests that need a server which is not there are left out with a note.
// No service of the system is started or enabled: each test starts servers of its own, on ports of 127.0.0.1.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const POLICY = "/usr/sbin/policy-rc.d";
const servers = JSON.parse(readFileSync(new URL("../test/support/servers.json", import.meta.url), "utf8"));
const missing = Object.keys(servers).filter((program) => !isThere(program));

if (missing.length === 0) {
  console.log(`all there: ${Object.keys(servers).join(", ")}`);
} else if (process.platform === "linux" && process.getuid?.() === 0 && isOnPath("apt-get")) {
  process.exitCode = install(missing.map((program) => servers[program].apt));
} else {
  const names = (manager) => missing.map((program) => servers[program][manager]).join(" ");
  console.log(
    [
      `missing: ${missing.join(", ")}. Tests that need them are left out. To have them run, install`,
      `  apt-get install ${names("apt")}      # Debian, Ubuntu; as root, this command does it`,
      `  dnf install ${names("dnf")}      # Fedora`,
      `  brew install ${names("brew")}      # macOS`,
    ].join("\n"),
  );
}

function install(packages) {
  console.log(`installing ${packages.join(" ")}`);
  // A package starts its service when it is installed, unless this file forbids it. One that is there already stays.
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = (...args) => spawnSync("apt-get", args, { env, stdio: "inherit" }).status ?? 1;
    return apt("update", "-qq") || apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

function isThere(program) {
  return (
    isOnPath(program) ||
    servers[program].places.some((place) =>
      placesOf(place).some((folder) => existsSync(join(folder, program))),
    )
  );
}

function isOnPath(program) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .some((folder) => folder !== "" && existsSync(join(folder, program)));
}

function placesOf(place) {
  const [before, after] = place.split("*");
  if (after === undefined) return [place];
  return existsSync(before) ? readdirSync(before).map((version) => join(before, version, after)) : [];
}
