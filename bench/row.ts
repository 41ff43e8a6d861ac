/** What a row of the table is given. */
export interface Bench {
  readonly repository: string;
  /** Where data is kept: a real disk. */
  readonly folder: string;
  /** Small numbers: to see that it works. */
  readonly quick: boolean;
  /** A clone of antnest, where there is one. */
  readonly antnest?: string;
  /** A folder with a compiled Broadway, where there is one. */
  readonly broadway?: string;
  /** Measures something once for all rows that ask for it under this name. */
  once<T>(name: string, measure: () => Promise<T>): Promise<T>;
}

export interface Measured {
  /** What is held against floor and aim; undefined where it cannot be measured. */
  readonly value?: number;
  /** Both sides in words, or why there is no value. */
  readonly text: string;
}

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly peer: string;
  /** `more`: the value must be at least the floor. */
  readonly better: "more" | "less";
  /** Left out where nothing is demanded, as is the aim: the value is a figure. */
  readonly floor?: number;
  readonly aim?: number;
  format(value: number): string;
  measure(bench: Bench): Promise<Measured>;
}

export const times = (value: number): string => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ×`;
export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

/** What the value means against floor and aim. */
export function verdictOf({ better, floor, aim }: Row, { value }: Measured): string {
  if (value === undefined) return "not measured";
  const reaches = (target: number): boolean => (better === "more" ? value >= target : value <= target);
  if (floor === undefined || aim === undefined) return "a figure, no floor";
  if (reaches(aim)) return "aim reached";
  return reaches(floor) ? "floor reached" : "BELOW FLOOR";
}
