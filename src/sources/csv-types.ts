/** What a column's text is turned into; an empty field becomes null, but of text and of a function of yours. */
export type CsvType = "string" | "number" | "boolean" | "date" | ((text: string) => unknown);

/** Turns a field's text into its value; throws with the reason when it is none. */
export type FieldReader = (text: string) => unknown;

export function fieldReader(type: CsvType): FieldReader | undefined {
  if (typeof type === "function") return type;
  return READERS[type];
}

const READERS: Readonly<Record<Exclude<CsvType, FieldReader>, FieldReader | undefined>> = {
  string: undefined,
  number(text) {
    const trimmed = text.trim();
    if (trimmed === "") return null;
    const value = Number(trimmed);
    if (Number.isNaN(value)) throw new Error(`${JSON.stringify(text)} is not a number`);
    return value;
  },
  boolean(text) {
    const trimmed = text.trim().toLowerCase();
    if (trimmed === "") return null;
    if (trimmed === "true" || trimmed === "1") return true;
    if (trimmed === "false" || trimmed === "0") return false;
    throw new Error(`${JSON.stringify(text)} is neither true nor false`);
  },
  date(text) {
    if (text.trim() === "") return null;
    const value = new Date(text);
    if (Number.isNaN(value.getTime())) throw new Error(`${JSON.stringify(text)} is not a date`);
    return value;
  },
};
