import { z } from 'zod';
import { settingFaultsIn } from './check-settings.ts';
import { outcomesOf, type ProcessDefinition } from './definition.ts';
import {
  interruptedStep,
  reservedCollections,
  reservedFields,
  reservedFilters,
  reservedVerbs,
} from './reserved-names.ts';

const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * Throws one error that names every fault of the catalog that types cannot see. It runs at start-up, so that a program
 * with a bad catalog never serves.
 */
export function checkCatalog(catalog: readonly ProcessDefinition[]): void {
  const faults = [
    ...duplicatesOf(catalog, 'the process', ({ name, version }) => `${name} version ${version}`),
    ...duplicatesOf(catalog, 'the address', ({ collection, version }) => `/v${version}/${collection}`),
    ...duplicatesOf(catalog, 'the resource', ({ singular, version }) => `${singular} version ${version}`),
    ...duplicatesOf(
      catalog.flatMap(({ events }) => events),
      'the event type',
      ({ type }) => type,
    ),
    ...settingFaultsIn(catalog),
    ...catalog.flatMap((definition) =>
      faultsOf(definition).map((fault) => `process ${definition.name} version ${definition.version}: ${fault}`),
    ),
  ];
  if (faults.length > 0)
    throw new Error(`The catalog is not usable:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
}

function duplicatesOf<T>(items: readonly T[], what: string, nameOf: (item: T) => string): string[] {
  const names = items.map(nameOf);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
    (name) => `${what} ${name} is declared twice`,
  );
}

function faultsOf(definition: ProcessDefinition): string[] {
  const fields = Object.keys(definition.input.shape);
  const steps = Object.entries(definition.steps);
  const verbs = [...Object.keys(definition.actions), ...Object.keys(definition.views)];
  const names = [
    definition.name,
    definition.collection,
    definition.singular,
    ...Object.keys(definition.steps),
    ...verbs,
    ...outcomesOf(definition),
  ];
  const { key } = definition;
  const collections = new Set([definition.name, definition.collection]);
  return [
    ...[...collections]
      .filter((name) => reservedCollections.has(name))
      .map((name) => `the name ${name} is that of a resource`),
    ...names.filter((name) => !namePattern.test(name)).map((name) => `the name ${name} is not kebab-case`),
    ...(key.from === 'body' && !fields.includes(key.field)
      ? [`the key field ${key.field} is not a field of the input (${fields.join(', ')})`]
      : []),
    ...(key.from === 'body' && isOptional(definition, key.field) ? [`the key field ${key.field} is optional`] : []),
    ...Object.entries(definition.labels)
      .filter(([, field]) => !fields.includes(field))
      .map(([name, field]) => `the label ${name} names the unknown field ${field}`),
    ...Object.keys(definition.labels)
      .filter((name) => reservedFilters.has(name))
      .map((name) => `the label ${name} is the name of a list filter`),
    ...(steps.length === 0 ? ['no step is declared'] : []),
    ...(Object.hasOwn(definition.steps, interruptedStep)
      ? [`the step ${interruptedStep} is one of every process`]
      : []),
    ...permanentRowFaultsOf(definition),
    ...detailFaultsOf(definition),
    ...eventFaultsOf(definition),
    ...steps.flatMap(([step, { actions = [] }]) =>
      actions
        .filter((action) => !Object.hasOwn(definition.actions, action))
        .map((action) => `the step ${step} offers the unknown action ${action}`),
    ),
    ...duplicatesOf(verbs, 'the action or view', (verb) => verb),
    ...verbs.filter((verb) => reservedVerbs.has(verb)).map((verb) => `the name ${verb} is taken by every process`),
    ...duplicatesOf(outcomesOf(definition), 'the outcome', (outcome) => outcome),
    ...definition.implementations.flatMap(({ workflow, when }) =>
      'field' in when && !hasField(definition.input, when.field)
        ? [`the rule of ${workflow} names the unknown field ${when.field}`]
        : [],
    ),
    ...definition.implementations.flatMap(({ workflow, when }) =>
      'shareSetting' in when && !isShare(definition.settings.shape[when.shareSetting])
        ? [`the rule of ${workflow} names ${when.shareSetting}, which is no setting of a share`]
        : [],
    ),
    ...definition.implementations
      .filter(({ when }) => 'share' in when && !(when.share >= 0 && when.share <= 1))
      .map(({ workflow }) => `the share of ${workflow} is not between 0 and 1`),
  ];
}

const permanentRowFaultsOf = (definition: ProcessDefinition): string[] =>
  definition.permanentRow === undefined || outcomesOf(definition).includes(definition.permanentRow.conflict)
    ? []
    : [`the permanent row names the unknown outcome ${definition.permanentRow.conflict}`];

const detailFaultsOf = ({ details, prepare }: ProcessDefinition): string[] => [
  ...(details !== undefined && prepare === undefined ? ['details are declared, and no prepare gives them'] : []),
  ...(details === undefined && prepare !== undefined ? ['prepare gives details, and none are declared'] : []),
  ...Object.keys(details?.shape ?? {})
    .filter((name) => reservedFields.has(name))
    .map((name) => `the detail ${name} is a field of every instance`),
];

const eventFaultsOf = ({ actions, events }: ProcessDefinition): string[] => [
  ...events
    .filter(({ type }) => !/^[\x21-\x7e]{1,255}$/.test(type))
    .map(({ type }) => `the event type ${JSON.stringify(type)} is not 1 to 255 visible ASCII characters`),
  ...events.flatMap((event) =>
    'action' in event && !Object.hasOwn(actions, event.action)
      ? [`the event ${event.type} is the unknown action ${event.action}`]
      : [],
  ),
];

function isOptional(definition: ProcessDefinition, field: string): boolean {
  const schema = definition.input.shape[field] as z.ZodType | undefined;
  return schema?.safeParse(undefined).success ?? false;
}

const isShare = (setting: z.ZodType | undefined): boolean =>
  setting?.safeParse('0.5').data === 0.5 && !setting.safeParse('2').success;

/** True where a dotted path such as `amount.currency` leads to a field. */
function hasField(schema: unknown, path: string): boolean {
  const [name = '', ...rest] = path.split('.');
  const field: unknown = schema instanceof z.ZodObject ? schema.shape[name] : undefined;
  const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
  return rest.length === 0 ? field !== undefined : hasField(inner, rest.join('.'));
}
