/** How large a JSON text may be, whatever its length. */
export interface JsonLimits {
  /** How deep arrays and objects may be nested; 0 for a bare value. */
  readonly depth: number;
  /** How many members all objects may have together, repeated ones included. */
  readonly members: number;
  /** How many values there may be, members and elements alike; an empty array or object counts twice. */
  readonly values: number;
}

/**
 * Why a text is not read: it is beyond a limit; an object names a member twice, so that readers disagree on which one
 * counts (RFC 7493, 2.3); or a string holds NUL, which no database column takes, or half a surrogate pair.
 */
export type JsonFault = 'too-deep' | 'too-many-members' | 'too-many-values' | 'repeated-name' | 'unusable-text';

const unusable = /[\0\p{Surrogate}]/u;
const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The first fault of a text that was decoded from UTF-8; undefined if there is none, or if the text is no JSON, which
 * `JSON.parse` tells. Ends at the first fault. Iterative and linear, so that no text can exhaust the stack.
 */
export function faultOfJson(text: string, limits: JsonLimits): JsonFault | undefined {
  const open: (Set<string> | undefined)[] = [];
  let members = 0;
  let values = 1;
  let lastText = '';
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case openBracket:
      case openBrace:
        if (open.push(text.charCodeAt(at) === openBrace ? new Set() : undefined) > limits.depth) return 'too-deep';
        if ((values += 1) > limits.values) return 'too-many-values';
        break;
      case closeBracket:
      case closeBrace:
        open.pop();
        break;
      case comma:
        if ((values += 1) > limits.values) return 'too-many-values';
        break;
      case colon:
        if ((members += 1) > limits.members) return 'too-many-members';
        if (open.at(-1)?.has(lastText)) return 'repeated-name';
        open.at(-1)?.add(lastText);
        break;
      case quote: {
        const end = endOfString(text, at + 1);
        const parsed = textOf(text, at, end);
        if (parsed === undefined) return undefined;
        if (parsed.hasEscapes && unusable.test(parsed.text)) return 'unusable-text';
        lastText = parsed.text;
        at = end;
      }
    }
  }
  return undefined;
}

/** The place of the quote that ends the string whose first character is at `from`; -1 if there is none. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at += 1;
  }
  return -1;
}

/** The characters of the string between two quotes; undefined if it is none. Only escapes need to be parsed. */
function textOf(json: string, begin: number, end: number): { text: string; hasEscapes: boolean } | undefined {
  if (end === -1) return undefined;
  const raw = json.slice(begin + 1, end);
  if (!raw.includes('\\')) return { text: raw, hasEscapes: false };
  try {
    return { text: String(JSON.parse(json.slice(begin, end + 1))), hasEscapes: true };
  } catch {
    return undefined;
  }
}
