/** How the fields of a record are told apart. */
export interface CsvDialect {
  readonly delimiter: string;
  /** Undefined: no field is quoted. */
  readonly quote: string | undefined;
}

/** How often `quote` is in `text`: an odd number means that a quoted field goes on behind it. */
export function countQuotes(text: string, quote: string): number {
  let count = 0;
  for (let at = text.indexOf(quote); at >= 0; at = text.indexOf(quote, at + 1)) count++;
  return count;
}

/** The fields of one whole record; a text says what is wrong with it. */
export function splitRecord(text: string, { delimiter, quote }: CsvDialect): string[] | string {
  if (quote === undefined || !text.includes(quote)) return text.split(delimiter);
  const fields: string[] = [];
  for (let at = 0; ; ) {
    if (text.startsWith(quote, at)) {
      const [field, end] = quotedField(text, at + 1, quote);
      if (end < 0) return "a quote that is opened is not closed";
      fields.push(field);
      if (end === text.length) return fields;
      if (!text.startsWith(delimiter, end)) return "there is text between a closing quote and the next field";
      at = end + delimiter.length;
    } else {
      const next = text.indexOf(delimiter, at);
      const field = text.slice(at, next < 0 ? text.length : next);
      if (field.includes(quote)) return "there is a quote within a field that does not begin with one";
      fields.push(field);
      if (next < 0) return fields;
      at = next + delimiter.length;
    }
  }
}

/** The field from behind its opening quote, and the place behind its closing one; -1 when there is none. */
function quotedField(text: string, from: number, quote: string): [string, number] {
  let field = "";
  for (let at = from; ; ) {
    const end = text.indexOf(quote, at);
    if (end < 0) return [field, -1];
    // Two quotes stand for one.
    if (text.charAt(end + 1) !== quote) return [field + text.slice(at, end), end + 1];
    field += text.slice(at, end + 1);
    at = end + 2;
  }
}
