/** Pushes that are stored in one transaction: one fate, and so one promise for all of them. */
export class PushTick {
  readonly done: Promise<void>;
  /** How many there are. */
  pushes = 0;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  end(error: Error | undefined): void {
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}
