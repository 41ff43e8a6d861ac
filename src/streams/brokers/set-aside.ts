/** Why something of a broker's queue is set aside, for people. */

export function notOurs(number: number | undefined): string {
  return number === undefined
    ? "a message that millrace did not put there came out of its queue"
    : `a message with the number ${number}, which was never given to one, came out of the queue`;
}

export function lost(frames: number, items: number): string {
  return `the broker lost ${counted(frames, "frame")} (${counted(items, "item")})`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
