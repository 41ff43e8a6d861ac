export interface Pushed {
  readonly began: number;
  /** When the last was confirmed. */
  readonly ended: number;
}

/** Pushes so many items, each by a call of its own, with never more than `outstanding` that are not confirmed. */
export async function pushOneByOne(
  items: number,
  outstanding: number,
  push: (id: number) => Promise<unknown>,
): Promise<Pushed> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items) await push(next++);
  };
  const began = Date.now();
  await Promise.all(Array.from({ length: outstanding }, lane));
  return { began, ended: Date.now() };
}
