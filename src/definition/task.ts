/** Marks what {@link task} returns; a registered symbol, so that it is the same in every copy of the package. */
export const TASK: unique symbol = Symbol.for("millrace.task") as never;

export interface TaskOptions {
  /** About how many milliseconds of work it is. Default: as the tasks before it. */
  readonly cost?: number;
}

/** A task with a word about itself: what {@link task} returns. */
export interface Task<T> {
  readonly [TASK]: { readonly data: T; readonly cost: number | undefined };
}

/**
 * A task of a job with a hint of its size, to be yielded by `split` in place of the bare data: large tasks are then
 * not packed together with others.
 *
 * @param options.cost about how many milliseconds of work it is; anything but a number above 0 counts as no hint.
 */
export function task<T>(data: T, { cost }: TaskOptions = {}): Task<T> {
  const isHint = typeof cost === "number" && Number.isFinite(cost) && cost > 0;
  return { [TASK]: { data, cost: isHint ? cost : undefined } };
}

/** Whether `value` was made by {@link task}, of this or another copy of the package. */
export function isTask(value: unknown): value is Task<unknown> {
  return typeof value === "object" && value !== null && TASK in value;
}
