/** What a JSON text is made of, as far as it can hurt whoever reads it. */
export interface JsonShape {
  /** How deep arrays and objects are nested; 0 for a bare value. */
  readonly depth: number;
  /** How many members all objects have together, repeated ones included. */
  readonly keys: number;
  /** True if an object names a member twice: readers disagree on which one counts (RFC 7493, 2.3). */
  readonly hasRepeatedKey: boolean;
  /** True if a string holds NUL, which no database column takes, or half a surrogate pair, which is no character. */
  readonly hasUnusableText: boolean;
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs;
const unusable = /\p{Surrogate}/u;

/** Looks at a text that `JSON.parse` has accepted. Iterative and linear, so that no text can exhaust the stack. */
export function shapeOfJson(text: string): JsonShape {
  const open: (Set<string> | undefined)[] = [];
  const shape = { depth: 0, keys: 0, hasRepeatedKey: false, hasUnusableText: false };
  let lastText = '';
  for (const [part] of text.matchAll(token)) {
    switch (part) {
      case '{':
      case '[':
        open.push(part === '{' ? new Set() : undefined);
        shape.depth = Math.max(shape.depth, open.length);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ':':
        shape.keys += 1;
        shape.hasRepeatedKey ||= open.at(-1)?.has(lastText) ?? false;
        open.at(-1)?.add(lastText);
        break;
      default:
        lastText = String(JSON.parse(part));
        shape.hasUnusableText ||= lastText.includes('\0') || unusable.test(lastText);
    }
  }
  return shape;
}
