import { join } from "node:path";
import type { Certificates } from "./certificates.ts";

/** rabbitmq.conf of a server in this folder. */
export function rabbitmqConf(
  folder: string,
  port: number,
  tls: Certificates | undefined,
  more: readonly string[],
): string {
  const listeners = tls
    ? [
        "listeners.tcp = none",
        `listeners.ssl.1 = 127.0.0.1:${port}`,
        `ssl_options.cacertfile = ${tls.ca}`,
        `ssl_options.certfile = ${tls.cert}`,
        `ssl_options.keyfile = ${tls.key}`,
        "ssl_options.verify = verify_none",
        "ssl_options.fail_if_no_peer_cert = false",
      ]
    : [`listeners.tcp.1 = 127.0.0.1:${port}`];
  return [
    ...listeners,
    "log.console = true",
    "log.console.level = info",
    "log.file = false",
    `load_definitions = ${join(folder, "definitions.json")}`,
    // A machine whose disk is nearly full must not raise the alarm that only some tests ask for.
    "disk_free_limit.absolute = 1MB",
    ...more,
    "",
  ].join("\n");
}

/** Users and vhosts in RabbitMQ's own form; every user may do everything in every vhost. */
export function definitions(users: Readonly<Record<string, string>>, vhosts: readonly string[]): string {
  const names = Object.keys(users);
  return JSON.stringify({
    users: names.map((name) => ({ name, password: users[name], tags: ["administrator"] })),
    vhosts: vhosts.map((name) => ({ name })),
    permissions: names.flatMap((user) =>
      vhosts.map((vhost) => ({ user, vhost, configure: ".*", write: ".*", read: ".*" })),
    ),
  });
}

/** What keeps a node apart from every other: its name, home (with its cookie), folders and ports are its own. */
export function environment(
  folder: string,
  registryPort: number,
  distributionPort: number,
): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: join(folder, "home"),
    ERL_EPMD_PORT: `${registryPort}`,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: "millrace@localhost",
    RABBITMQ_DIST_PORT: `${distributionPort}`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(folder, "no-rabbitmq-env.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, "no-advanced.config"),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, "generated"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    // With it the start script becomes the server instead of waiting for it: its pid is the one to kill.
    NOTIFY_SOCKET: join(folder, "no-socket"),
  };
}
