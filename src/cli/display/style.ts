/** Marks text for a terminal, or leaves it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const same = (text: string): string => text;
const marked =
  (on: number, off: number) =>
  (text: string): string =>
    text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`;

export const PLAIN: Style = { bold: same, dim: same, red: same, yellow: same, green: same };
export const COLOURED: Style = {
  bold: marked(1, 22),
  dim: marked(2, 22),
  red: marked(31, 39),
  yellow: marked(33, 39),
  green: marked(32, 39),
};

/** Colours on a terminal, unless NO_COLOR says otherwise; FORCE_COLOR (not `0` or `false`) has them anywhere. */
export function styleFor(stream: { readonly isTTY?: boolean }, environment: Environment): Style {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM: term } = environment;
  if (force !== undefined && force !== "") return force === "0" || force === "false" ? PLAIN : COLOURED;
  if (none !== undefined && none !== "") return PLAIN;
  return stream.isTTY === true && term !== "dumb" ? COLOURED : PLAIN;
}

/** Whether a screen can be repainted: a terminal that knows how to move its cursor. */
export function isRepaintable(stream: { readonly isTTY?: boolean }, environment: Environment): boolean {
  return stream.isTTY === true && environment.TERM !== "dumb";
}
