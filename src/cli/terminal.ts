/** Text from user code and items, made safe for a terminal: control characters but tab and line feed are shown, not obeyed. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    return `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

/** The first line of a text, printable, in at most `length` characters. */
export function oneLine(text: string, length: number): string {
  const line = printable(text.split("\n", 1)[0] ?? "").replaceAll("\t", " ");
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

/** Writes a line to stderr, where everything goes that is not a result. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

let isReaderGone = false;
// Whoever read our output may have had enough (`| head`): that is no reason to break off what else is to be done.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  isReaderGone = true;
});

/** Writes text to stdout; resolves when it has been taken, so that an exit does not cut it. False: nobody reads any more. */
export function print(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (isReaderGone) resolve(false);
    else process.stdout.write(text, (error) => resolve(!error));
  });
}

const COUNT = new Intl.NumberFormat("en-US");

export function grouped(value: number): string {
  return COUNT.format(value);
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
