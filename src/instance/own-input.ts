import { INPUT_PORT, type InputOptions, type InputPort } from "../definition/input-port.ts";
import type { Env, Socket } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import { StreamConnection } from "../streams/connection.ts";
import { STREAM_PROTOCOL_VERSION } from "../streams/protocol.ts";
import { pushPlanOf } from "../streams/push-plan.ts";
import { Pusher } from "../streams/pusher.ts";

/** Lets a push source put items into its own stream, as anybody else would from outside. */
export class OwnInput implements InputPort {
  readonly #source: string;
  readonly #pusher: Pusher;
  readonly #env: Env;
  readonly #greet: (name: string) => Promise<StreamConnection>;

  constructor(env: Env, source: string, secret: string, connect: () => Promise<Socket>) {
    this.#env = env;
    this.#source = source;
    this.#pusher = new Pusher({ env, source, connect: async () => ({ socket: await connect(), secret }) });
    this.#greet = async (instance) => {
      const hello = {
        version: STREAM_PROTOCOL_VERSION,
        role: "push",
        stage: source,
        instance,
        secret,
      } as const;
      return await StreamConnection.greet(await connect(), hello, {});
    };
  }

  get isFull(): boolean {
    return this.#pusher.isFull;
  }

  push(items: readonly unknown[], options: InputOptions | undefined): Promise<void> {
    try {
      const { headers, ...rest } = options ?? {};
      const plan = pushPlanOf(rest, this.#source);
      return this.#pusher.push(
        items,
        headers === undefined ? plan : { ...plan, meta: { ...plan.meta, headers } },
      );
    } catch (error) {
      return Promise.reject(ensureError(error));
    }
  }

  async close(): Promise<void> {
    await this.#pusher.idle();
    const connection = await this.#greet(this.#env.random.bytes(8).toString("hex"));
    try {
      await connection.request("close", { stream: this.#source });
    } finally {
      connection.end();
    }
  }

  end(): Promise<void> {
    return this.#pusher.end();
  }
}

interface Owner {
  readonly env: Env;
  readonly stage: string;
  readonly secret: string;
  readonly role: string;
  connect(): Promise<Socket>;
}

/** Gives the setup of a push source a port into its own stream, if its instance is to have one. */
export function openOwnInput(context: object, owner: Owner): OwnInput | undefined {
  const { env, stage, secret, role } = owner;
  // n.b. one door is enough: an instance for suspects works off what is there.
  const input = role === "worker" ? new OwnInput(env, stage, secret, () => owner.connect()) : undefined;
  Object.assign(context, { [INPUT_PORT]: input });
  return input;
}
