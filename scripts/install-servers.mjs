// Installs the real servers that the tests start: RabbitMQ, NATS, Redis, PostgreSQL. On Debian and Ubuntu, as root;
// elsewhere it says what to install, and the tests that need a server which is not there are left out with a note.
// No service of the system is started: each test starts servers of its own, on ports of 127.0.0.1.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { newerNats } from "./newer-nats.mjs";

const POLICY = "/usr/sbin/policy-rc.d";
const servers = JSON.parse(readFileSync(new URL("../test/support/servers.json", import.meta.url), "utf8"));
const [aside] = placesOf("~/.cache/millrace-servers");
const canInstall = process.platform === "linux" && process.getuid?.() === 0 && isOnPath("apt-get");

const packages = missing().filter((program) => program !== newerNats.program);
if (canInstall && packages.length > 0)
  process.exitCode = install(packages.map((program) => servers[program].apt));
if (!isThere(newerNats.program)) newerNats.put(aside, canInstall);

const wanted = missing();
if (wanted.length === 0) {
  console.log(`all there: ${Object.keys(servers).join(", ")}`);
} else {
  const names = (manager) => wanted.map((program) => servers[program][manager]).join(", ");
  console.log(
    [
      `missing: ${wanted.join(", ")}. Tests that need them are left out. To have them run, install`,
      `  Debian, Ubuntu   ${names("apt")}   (as root this command does it)`,
      `  Fedora           ${names("dnf")}`,
      `  macOS            ${names("brew")}`,
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

function missing() {
  return Object.keys(servers).filter((program) => !isThere(program));
}

function isThere(program) {
  const places = servers[program].places.flatMap(placesOf);
  return isOnPath(program) || places.some((folder) => existsSync(join(folder, program)));
}

function isOnPath(program) {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return path.some((folder) => existsSync(join(folder, program)));
}

function placesOf(place) {
  if (place.startsWith("~/")) return [join(homedir(), place.slice(2))];
  const [before, after] = place.split("*");
  if (after === undefined) return [place];
  return existsSync(before) ? readdirSync(before).map((version) => join(before, version, after)) : [];
}
