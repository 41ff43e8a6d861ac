import type { DeadLetter, DeadLetterList } from "../definition/dead-letter.ts";

/** Letters as they are read: for `for await`, or to be awaited as an array. */
export function letterList(read: AsyncIterable<{ readonly letter: DeadLetter }>): DeadLetterList {
  const all = async (): Promise<DeadLetter[]> => {
    const letters: DeadLetter[] = [];
    for await (const { letter } of read) letters.push(letter);
    return letters;
  };
  return {
    async *[Symbol.asyncIterator]() {
      for await (const { letter } of read) yield letter;
    },
    // biome-ignore lint/suspicious/noThenProperty: it is meant to be awaited.
    then: (onDone, onError) => all().then(onDone, onError),
  };
}
