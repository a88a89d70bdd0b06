import type { copyCheckout } from '../harness/checkout.ts';

type Checkout = Pick<ReturnType<typeof copyCheckout>, 'read' | 'write'>;

/** What a block of a guide asks for: a file to write, or changes to one. */
export interface Block {
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

/** The blocks of a document that stand below the name of a file: `src/x.ts`, an empty line, and the fence. */
export const fileBlocksIn = (document: string): Block[] =>
  [...document.matchAll(/^`([^`\n]+)`\n\n```(\w+)\n([^]*?)^```$/gm)].map(([, file = '', language = '', text = '']) => ({
    file,
    language,
    text,
  }));

/** The blocks of a language that stand for themselves. */
export const blocksOf = (document: string, language: string): string[] =>
  [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);

/** One change of a list: lines that go, if any, and lines that come in their place. */
export interface Change {
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** The changes of a diff block without context: each run of `-` lines with the `+` lines that follow it. */
export function changesOf(diff: string): Change[] {
  const changes: { removed: string[]; added: string[] }[] = [];
  for (const line of diff.split('\n').filter((each) => each !== '')) {
    const [sign, text] = [line[0], line.slice(1)];
    const last = changes.at(-1);
    if (sign === '-') {
      if (last?.added.length === 0) last.removed.push(text);
      else changes.push({ removed: [text], added: [] });
    } else if (sign === '+') {
      if (last === undefined) changes.push({ removed: [], added: [text] });
      else last.added.push(text);
    } else throw new Error(`a diff block has the line ${line}`);
  }
  return changes;
}

/** Makes changes as a reader does: an import goes below the others, a replaced line is looked for, the rest is appended. */
export function applyChanges(checkout: Checkout, file: string, changes: readonly Change[]): void {
  checkout.write(file, changes.reduce(applyChange, checkout.read(file)));
}

function applyChange(text: string, { removed, added }: Change): string {
  const lines = text.replace(/\n$/, '').split('\n');
  if (removed.length > 0) {
    const place = lines.indexOf(removed[0] ?? '');
    const found = lines.slice(place, place + removed.length);
    if (place < 0 || found.join('\n') !== removed.join('\n')) throw new Error(`there is no line ${removed.join('\n')}`);
    lines.splice(place, removed.length, ...added);
  } else {
    const lastImport = lines.findLastIndex((line) => line.startsWith('import '));
    lines.splice(added.every((line) => line.startsWith('import ')) ? lastImport + 1 : lines.length, 0, ...added);
  }
  return `${lines.join('\n')}\n`;
}
