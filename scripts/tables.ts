import { describeLocalSettings } from '../local/settings.ts';
import { catalog } from '../src/catalog/index.ts';
import { describeAllSettings } from '../src/config/all-settings.ts';
import type { SettingDescription } from '../src/config/settings.ts';
import { outcomesOf, permissionOf, type ProcessDefinition } from '../src/definition/definition.ts';
import { operations } from '../src/operations/index.ts';
import { perItem } from '../src/operations/operation.ts';
import { collectionPathOf } from '../src/operations/representation.ts';
import { problems } from '../src/problem-table.ts';
import { renderStates } from './states.ts';

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const code = (text: string): string => `\`${text}\``;

/** What documents have between `<!-- name -->` and `<!-- /name -->`: tables and pictures that follow from the code. */
export const renderTables = (): Readonly<Record<string, string>> => ({
  processes: table(
    ['process', 'what it does'],
    catalog.map((definition) => [code(`POST ${collectionPathOf(definition)}`), definition.summary]),
  ),
  'process-details': catalog.map(detailsOf).join('\n\n'),
  ...Object.fromEntries(catalog.map((definition) => [`states-${definition.name}`, renderStates(definition)])),
  operations: table(
    ['operation', 'permission', 'what it does'],
    operations.map(({ method, path, permission, summary }) => [
      code(`${method} ${path}`),
      permission === perItem ? 'that of each item' : code(permission),
      summary,
    ]),
  ),
  events: table(
    ['type', 'what it is', 'stands for', 'permission'],
    catalog.flatMap((definition) =>
      definition.events.map((event) => [
        code(event.type),
        event.summary,
        code(`POST ${collectionPathOf(definition)}${'action' in event ? `/{id}/${event.action}` : ''}`),
        code(permissionOf(definition, 'action' in event ? event.action : 'start')),
      ]),
    ),
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
  settings: settingsTable(describeAllSettings(catalog)),
  'start-settings': settingsTable(describeLocalSettings()),
});

const settingsTable = (settings: readonly SettingDescription[]): string =>
  table(
    ['setting', 'meaning', 'default'],
    settings.map(({ name, meaning, fallback }) => [code(name), meaning, fallback === undefined ? '–' : code(fallback)]),
  );

const detailsOf = (definition: ProcessDefinition): string =>
  [
    `## ${definition.name}`,
    `${code(`POST ${collectionPathOf(definition)}`)}: ${definition.summary}.`,
    definition.description,
    table(
      ['step', 'meaning', 'waits for', 'actions'],
      Object.entries(definition.steps).map(([step, { label, waitsFor = '–', actions = [] }]) => [
        code(step),
        label,
        waitsFor,
        actions.map(code).join(', ') || '–',
      ]),
    ),
    `Outcomes: ${outcomesOf(definition).map(code).join(', ')}. Effects: ${definition.effects}.`,
    eventsOf(definition),
    renderStates(definition),
  ]
    .filter((part) => part !== '')
    .join('\n\n');

const eventsOf = ({ events }: ProcessDefinition): string =>
  events.length === 0
    ? ''
    : `Events: ${events.map((event) => `${code(event.type)} ${'action' in event ? `is ${code(event.action)}` : 'starts it'}`).join(', ')}.`;
