import { z } from 'zod';
import { outcomesOf, permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import { generalOutcomes, type InstanceSnapshot } from '../orchestration/instances.ts';
import type { Principal } from '../tokens/authentication.ts';
import type { ResponseHeader } from './operation.ts';

const link = z
  .object({ href: z.string(), method: z.enum(['GET', 'POST']) })
  .meta({ id: 'Link', description: 'Something this caller may try on this instance now.' });

/** `TransfersV1` of the definition transfers, version 1: the stem of its schema names. */
export const schemaStemOf = ({ name, version }: ProcessDefinition): string => `${pascalCase(name)}V${version}`;

/** `UserGrants` of `user-grants`. */
export const pascalCase = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());

export const collectionPathOf = ({ version, collection }: ProcessDefinition): string => `/v${version}/${collection}`;

/** Every outcome an instance of the definition can have. */
export const allOutcomesOf = (definition: ProcessDefinition): [string, ...string[]] =>
  [...new Set<string>([...outcomesOf(definition), ...generalOutcomes])] as [string, ...string[]];

type InstanceSchemas = ReturnType<typeof createInstanceSchemas>;

// A named schema must be one object wherever it is used.
const schemas = new WeakMap<ProcessDefinition, InstanceSchemas>();

/** The schemas of an instance of one definition: as it stands, with its result, and in a list. */
export function instanceSchemasOf(definition: ProcessDefinition): InstanceSchemas {
  const known = schemas.get(definition) ?? createInstanceSchemas(definition);
  schemas.set(definition, known);
  return known;
}

function createInstanceSchemas(definition: ProcessDefinition) {
  const stem = schemaStemOf(definition);
  const whole = z.object({
    id: businessKey.describe('The business key.'),
    runId: z
      .string()
      .describe('Tells an instance from a later one of the same id. It never changes, also not after a reset.'),
    status: z.enum(['running', 'closed']),
    step: z.enum(Object.keys(definition.steps)).optional().describe('Where a running instance stands.'),
    outcome: z.enum(allOutcomesOf(definition)).optional().describe('How a closed instance ended.'),
    startedAt: z.iso.datetime(),
    closedAt: z.iso.datetime().optional(),
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
      .meta({ id: `${stem}Page`, description: 'Newest first. Go on with `cursor` while there is one.' }),
  };
}

/** The instance as one caller sees it: with the links that its permissions and the instance's step allow. */
export function toRepresentation(definition: ProcessDefinition, snapshot: InstanceSnapshot, principal: Principal) {
  const self = `${collectionPathOf(definition)}/${snapshot.id}`;
  const may = (verb: string) => principal.permissions.has(permissionOf(definition, verb));
  const offered = snapshot.step === undefined ? [] : (definition.steps[snapshot.step]?.actions ?? []);
  const actions = offered.filter(may);
  return {
    ...snapshot,
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
