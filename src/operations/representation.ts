import { z } from 'zod';
import { outcomesOf, permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import type { Hold } from '../definition/permanent-row.ts';
import { interruptedStep } from '../definition/reserved-names.ts';
import type { Told } from '../definition/told.ts';
import { generalOutcomes } from '../orchestration/instances.ts';
import type { ProblemCode } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';
import type { ResponseHeader } from './operation.ts';

const link = z
  .object({ href: z.string(), method: z.enum(['GET', 'POST']) })
  .meta({ id: 'Link', description: 'Something this caller may try on this instance now.' });

export const hold = z
  .object({ note: z.string(), by: z.string().describe('The subject of the operator.'), since: z.iso.datetime() })
  .meta({ id: 'Hold' });

export const toHoldBody = ({ note, by, since }: Hold) => ({ note, by: by.sub, since: since.toISOString() });

/** `TransfersV1` of the definition transfers, version 1: the stem of its schema names. */
export const schemaStemOf = ({ name, version }: ProcessDefinition): string => `${pascalCase(name)}V${version}`;

/** Ends the operation ids of one resource: `UserGrant`, and `UserGrantV2` of the second version. */
export const resourceStemOf = ({ singular, version }: ProcessDefinition): string =>
  `${pascalCase(singular)}${suffixOf(version)}`;

/** The same of the collection. */
export const collectionStemOf = ({ collection, version }: ProcessDefinition): string =>
  `${pascalCase(collection)}${suffixOf(version)}`;

const suffixOf = (version: number): string => (version === 1 ? '' : `V${version}`);

/** `UserGrants` of `user-grants`. */
export const pascalCase = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());

export const collectionPathOf = ({ version, collection }: ProcessDefinition): string => `/v${version}/${collection}`;

/** Every outcome an instance of the definition can have. */
export const allOutcomesOf = (definition: ProcessDefinition): [string, ...string[]] =>
  [...new Set<string>([...outcomesOf(definition), ...generalOutcomes])] as [string, ...string[]];

/** Every step an instance of the definition can be told to be in. */
export const allStepsOf = ({ steps, permanentRow }: ProcessDefinition): string[] => [
  ...Object.keys(steps),
  ...(permanentRow === undefined ? [] : [interruptedStep]),
];

/** The problems of whatever tells how an instance stands: where there is a permanent row, that needs the database. */
export const problemsOfTelling = ({ permanentRow }: ProcessDefinition): readonly ProblemCode[] =>
  permanentRow === undefined ? [] : ['database-unavailable'];

type InstanceSchemas = ReturnType<typeof createInstanceSchemas>;

// A named schema must be one object wherever it is used.
const schemas = new WeakMap<ProcessDefinition, InstanceSchemas>();

/** The schemas of an instance of one definition: as it stands, with its result, and in a list. */
export function instanceSchemasOf(definition: ProcessDefinition): InstanceSchemas {
  const known = schemas.get(definition) ?? createInstanceSchemas(definition);
  schemas.set(definition, known);
  return known;
}

const runId = z
  .string()
  .describe(
    'Tells an instance from a later one of the same id. It never changes, also not after a reset. Absent where only the ' +
      'permanent row of the instance is known.',
  );

function createInstanceSchemas(definition: ProcessDefinition) {
  const stem = schemaStemOf(definition);
  const keepsRow = definition.permanentRow !== undefined;
  const whole = z.object({
    id: businessKey.describe('The business key.'),
    runId: keepsRow ? runId.optional() : runId,
    status: z.enum(['running', 'closed']).meta({ 'x-closed': true }),
    step: z
      .enum(allStepsOf(definition))
      .optional()
      .describe(
        keepsRow
          ? 'Where a running instance stands. `interrupted`: it has stopped before its end and is going to be resumed.'
          : 'Where a running instance stands.',
      ),
    outcome: z.enum(allOutcomesOf(definition)).optional().describe('How a closed instance ended.'),
    startedAt: z.iso.datetime(),
    closedAt: z.iso.datetime().optional(),
    ...definition.details?.shape,
    ...(keepsRow ? { hold: hold.optional().describe('Where an operator keeps the reconciler away.') } : {}),
    links: z.record(z.string(), link),
  });
  return {
    instance: whole.meta({ id: stem }),
    withResult: whole.extend({ result: definition.output.optional() }).meta({ id: `${stem}WithResult` }),
    page: z
      .object({
        items: z.array(whole.omit({ runId: true }).meta({ id: `${stem}Item` })),
        cursor: z.string().optional(),
      })
      .meta({
        id: `${stem}Page`,
        description:
          'Running instances, the last started first; then closed ones, the last closed first. Go on with `cursor` while there is one. An instance that closes meanwhile may be on a later page again.',
      }),
  };
}

/** The instance as one caller sees it: with the links that its permissions and the instance's step allow. */
export function toRepresentation(definition: ProcessDefinition, told: Told, principal: Principal) {
  const { endedBy: _, result: __, currentRun: ___, hold: heldBack, details, ...snapshot } = told;
  const self = `${collectionPathOf(definition)}/${snapshot.id}`;
  const may = (verb: string) => principal.permissions.has(permissionOf(definition, verb));
  const offered = snapshot.step === undefined ? [] : (definition.steps[snapshot.step]?.actions ?? []);
  const actions = offered.filter(may);
  return {
    ...snapshot,
    ...details,
    ...(heldBack === undefined ? {} : { hold: toHoldBody(heldBack) }),
    links: {
      ...(may('read')
        ? { self: { href: self, method: 'GET' }, result: { href: `${self}/result`, method: 'GET' } }
        : {}),
      ...Object.fromEntries(actions.map((action) => [action, { href: `${self}/${action}`, method: 'POST' }])),
    },
  };
}

/** Seconds after which asking again is worth while. */
const retryAfterSeconds = '1';

/** 200 for a closed instance, 202 with `Retry-After` for a running one. */
export function answerWith<Body extends { status: 'running' | 'closed' }>(
  representation: Body,
  headers: Partial<Record<ResponseHeader, string>> = {},
) {
  return representation.status === 'closed'
    ? { status: 200, body: representation, headers }
    : { status: 202, body: representation, headers: { ...headers, 'Retry-After': retryAfterSeconds } };
}
