import { INPUT_PORT, type InputPort } from "../definition/input-port.ts";
import type { PushOptions } from "../definition/push.ts";
import type { Env, Socket } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import { pushPlanOf } from "../streams/push-plan.ts";
import { Pusher } from "../streams/pusher.ts";

/** Lets a push source put items into its own stream, as anybody else would from outside. */
export class OwnInput implements InputPort {
  readonly #source: string;
  readonly #pusher: Pusher;

  constructor(env: Env, source: string, secret: string, connect: () => Promise<Socket>) {
    this.#source = source;
    this.#pusher = new Pusher({ env, source, connect: async () => ({ socket: await connect(), secret }) });
  }

  get isFull(): boolean {
    return this.#pusher.isFull;
  }

  push(items: readonly unknown[], options: PushOptions | undefined): Promise<void> {
    try {
      return this.#pusher.push(items, pushPlanOf(options, this.#source));
    } catch (error) {
      return Promise.reject(ensureError(error));
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
