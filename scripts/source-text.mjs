/**
 * Splits TypeScript into code and strings, so that a check never mistakes a comment or a text for code.
 *
 * @param {string} text
 * @returns {{ code: string, strings: { start: number, value: string }[] }} `code` is as long as `text`; comments,
 * regular expressions and the insides of strings are blanked, line ends are kept.
 */
export function splitSource(text) {
  const code = [...text.split("")];
  const strings = [];
  /** Depths of open braces at which a `${` of an enclosing template began. */
  const templates = [];
  let depth = 0;
  let at = 0;

  const blank = (from, to) => {
    for (let i = from; i < to && i < code.length; i++) if (code[i] !== "\n") code[i] = " ";
  };
  /** From inside a template to behind its closing backtick, or behind the `${` that opens code again. */
  const skipTemplate = (from) => {
    let i = from;
    while (i < text.length && text[i] !== "`") {
      if (text[i] === "$" && text[i + 1] === "{") {
        blank(from, i + 2);
        templates.push(depth);
        depth += 1;
        return i + 2;
      }
      i += text[i] === "\\" ? 2 : 1;
    }
    blank(from, i);
    return i + 1;
  };

  while (at < text.length) {
    const char = text[at];
    const two = text.slice(at, at + 2);
    if (two === "//" || two === "/*") {
      const close = two === "//" ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 2;
      const end = close < at + 2 ? text.length : close;
      blank(at, end);
      at = end;
    } else if (char === '"' || char === "'") {
      let end = at + 1;
      while (end < text.length && text[end] !== char && text[end] !== "\n") end += text[end] === "\\" ? 2 : 1;
      strings.push({ start: at, value: text.slice(at + 1, end) });
      blank(at + 1, end);
      at = end + 1;
    } else if (char === "`") {
      at = skipTemplate(at + 1);
    } else if (char === "/" && startsRegExp(code, at)) {
      const end = regExpEnd(text, at);
      blank(at, end);
      at = end;
    } else {
      if (char === "{") depth += 1;
      if (char === "}") {
        depth -= 1;
        if (templates.at(-1) === depth) {
          templates.pop();
          code[at] = " ";
          at = skipTemplate(at + 1);
          continue;
        }
      }
      at += 1;
    }
  }
  return { code: code.join(""), strings };
}

/** A slash begins a regular expression where an operand is due; behind an operand it divides. */
function startsRegExp(code, at) {
  let i = at - 1;
  while (i >= 0 && /\s/.test(code[i])) i -= 1;
  if (i < 0) return true;
  if (/[\w$)\]"'`]/.test(code[i]))
    return /(?:^|\W)(?:return|typeof|case|of|in|yield|await)$/.test(
      code.slice(Math.max(0, i - 8), i + 1).join(""),
    );
  return true;
}

function regExpEnd(text, at) {
  let inClass = false;
  for (let i = at + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1;
  }
  return at + 1;
}
