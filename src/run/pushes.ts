import { inputOf } from "../definition/inputs.ts";
import type { PushOptions } from "../definition/push.ts";
import type { PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import { pushPlanOf } from "../streams/push-plan.ts";
import { Pusher, type PusherOptions } from "../streams/pusher.ts";

/** Takes items for the push sources of one run, from whoever holds a handle to it. */
export class Pushes {
  readonly #env: Env;
  readonly #shape: PipelineShape;
  readonly #connect: PusherOptions["connect"];
  readonly #isPatient: boolean;
  readonly #pushers = new Map<string, Pusher>();
  #over: Error | undefined;

  /** `isPatient`: a push waits for room for as long as it takes. */
  constructor(
    env: Env,
    shape: PipelineShape,
    connect: PusherOptions["connect"],
    { isPatient = false }: { readonly isPatient?: boolean } = {},
  ) {
    this.#isPatient = isPatient;
    this.#env = env;
    this.#shape = shape;
    this.#connect = connect;
  }

  /** See `Handle.push`. */
  push(source: string, items: unknown, options: PushOptions | undefined): Promise<void> {
    try {
      const pusher = this.#pushers.get(source) ?? this.#open(source);
      return pusher.push(Array.isArray(items) ? items : [items], pushPlanOf(options, source));
    } catch (error) {
      return Promise.reject(ensureError(error));
    }
  }

  #open(source: string): Pusher {
    inputOf(this.#shape, source);
    const pusher = new Pusher({
      env: this.#env,
      source,
      isPatient: this.#isPatient,
      connect: this.#connect,
    });
    if (this.#over !== undefined) pusher.fail(this.#over);
    this.#pushers.set(source, pusher);
    return pusher;
  }

  /** Resolves when all that was pushed to a source from here is stored, or rejected. */
  async settled(source: string): Promise<void> {
    await this.#pushers.get(source)?.idle();
  }

  /** Waits for what was pushed and lets go of the connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#pushers.values()].map((pusher) => pusher.end()));
  }

  /** The run has ended: nothing more can be pushed, and what is not confirmed is rejected. */
  fail(error: Error): void {
    this.#over ??= error;
    for (const pusher of this.#pushers.values()) pusher.fail(error);
  }
}
