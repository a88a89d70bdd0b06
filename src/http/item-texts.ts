/**
 * The texts of the elements of a JSON array; undefined where the text is none. What stands in an element is not looked at:
 * each has to be parsed. Gives one element more than `max` where there are more, and does not read on. Linear.
 */
export function elementsOf(text: string, max: number): string[] | undefined {
  const begin = skipSpace(text, 0);
  if (text[begin] !== '[') return undefined;
  const elements: string[] = [];
  let from = begin + 1;
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    switch (text.charAt(at)) {
      case '"':
        at = endOfString(text, at + 1);
        if (at === -1) return undefined;
        break;
      case '[':
      case '{':
        depth += 1;
        break;
      case ']':
      case '}':
        depth -= 1;
        if (depth > 0) break;
        if (text[at] !== ']' || skipSpace(text, at + 1) !== text.length) return undefined;
        if (elements.length > 0 || skipSpace(text, from) < at) elements.push(text.slice(from, at));
        return elements;
      case ',':
        if (depth > 1) break;
        if (elements.push(text.slice(from, at)) > max) return elements;
        from = at + 1;
    }
  }
  return undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  return at;
}

/** The place of the quote that ends the string whose first character is at `from`; -1 if there is none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

const lineBreak = 0x0a;

/** The lines of a text that are not empty, as bytes. Gives one more than `max` where there are more. */
export function linesOf(bytes: Buffer, max: number): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length && lines.length <= max;) {
    const found = bytes.indexOf(lineBreak, from);
    const end = found === -1 ? bytes.length : found;
    const line = bytes.subarray(from, end);
    if (line.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)) lines.push(line);
    from = end + 1;
  }
  return lines;
}
