import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { describeLocalSettings } from '../local/settings.ts';
import { catalog } from '../src/catalog/index.ts';
import { describeSettings, type SettingDescription } from '../src/config/settings.ts';
import { outcomesOf } from '../src/definition/definition.ts';
import { operations } from '../src/operations/index.ts';
import { collectionPathOf } from '../src/operations/representation.ts';
import { problems } from '../src/problems.ts';

/** Writes the tables of the documents that follow from the code, between `<!-- name -->` and `<!-- /name -->`. */
const root = new URL('../', import.meta.url);

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const code = (text: string): string => `\`${text}\``;

const tables: Readonly<Record<string, string>> = {
  processes: table(
    ['process', 'what it does', 'steps', 'actions', 'outcomes', 'effects'],
    catalog.map((definition) => [
      code(`POST ${collectionPathOf(definition)}`),
      definition.summary,
      Object.keys(definition.steps).join(', '),
      Object.keys(definition.actions).join(', ') || '–',
      outcomesOf(definition).join(', '),
      definition.effects,
    ]),
  ),
  operations: table(
    ['operation', 'permission', 'what it does'],
    operations.map(({ method, path, permission, summary }) => [code(`${method} ${path}`), code(permission), summary]),
  ),
  problems: table(
    ['status', 'code', 'meaning', 'retryable', 'effect'],
    Object.entries(problems).map(([name, { status, title, retryable, effect }]) => [
      String(status),
      code(name),
      title,
      retryable ? 'yes' : 'no',
      effect,
    ]),
  ),
  settings: settingsTable(describeSettings()),
  'start-settings': settingsTable(describeLocalSettings()),
};

function settingsTable(settings: readonly SettingDescription[]): string {
  const rows = settings.map(({ name, meaning, fallback }) => [
    code(name),
    meaning,
    fallback === undefined ? '–' : code(fallback),
  ]);
  return table(['setting', 'meaning', 'default'], rows);
}

async function fill(document: string): Promise<void> {
  const url = new URL(document, root);
  const text = readFileSync(url, 'utf8');
  const filled = Object.entries(tables).reduce(
    (current, [name, content]) =>
      current.replace(
        new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- /${name} -->)`),
        (_, begin: string, end: string) => `${begin}\n\n${content}\n\n${end}`,
      ),
    text,
  );
  writeFileSync(url, await format(filled, { parser: 'markdown', singleQuote: true, printWidth: 120 }));
}

for (const document of ['README.md', 'docs/http.md', 'docs/configuration.md']) await fill(document);
