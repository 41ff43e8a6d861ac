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
    // n.b. other ways to write one - 0x10, 0b1 - are more likely names of things.
    if (Number.isNaN(value) || /^[+-]?0[xob]/i.test(trimmed))
      throw new Error(`${JSON.stringify(text)} is not a number`);
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
    const value = isoDate(text.trim());
    if (value === undefined)
      throw new Error(
        `${JSON.stringify(text)} is not a date as ISO 8601 has it (2026-11-28, 2026-11-28T09:30:00Z)`,
      );
    return value;
  },
};

const ISO_DATE =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](?:[01]\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * A date of ISO 8601, with or without a time; without a zone a time is local, a date alone UTC, as in `Date`. Undefined when it is
 * none, or there is no such day: `Date` itself makes a date of nearly any text with a number in it.
 */
function isoDate(text: string): Date | undefined {
  const [, year, month, day] = ISO_DATE.exec(text) ?? [];
  if (day === undefined) return undefined;
  const that = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(that.getTime()) || that.getUTCDate() !== Number(day)) return undefined;
  // n.b. what ISO 8601 allows and `Date` leaves to each engine.
  const value = new Date(
    text
      .replace(" ", "T")
      .replace(",", ".")
      .replace(/([+-]\d{2})(\d{2})$/, "$1:$2")
      .toUpperCase(),
  );
  return Number.isNaN(value.getTime()) ? undefined : value;
}
