/** A dead letter as `millrace dead list --json` prints it. */
export interface StoredDeadLetter {
  readonly id: string;
  readonly pipeline: string;
  readonly run: string;
  readonly stage: string;
  readonly item: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempts: readonly {
    readonly at: string | number;
    readonly error: {
      readonly name: string;
      readonly message: string;
      readonly stack: string;
      readonly code?: string;
    };
  }[];
  readonly reason: "error" | "timeout" | "killed" | "not-decodable";
  readonly bundle: string;
  readonly path: readonly string[];
  readonly deadAt: string | number;
}
