import { z } from 'zod';
import type { ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import { type GeneralFilter, interruptedStep } from '../definition/reserved-names.ts';
import { tell, type Told } from '../definition/told.ts';
import type { ListFilter } from '../orchestration/visibility-query.ts';
import { defineOperation, type Operation } from './operation.ts';
import { readOf } from './reads.ts';
import {
  allOutcomesOf,
  allStepsOf,
  collectionPathOf,
  collectionStemOf,
  instanceSchemasOf,
  problemsOfTelling,
  toRepresentation,
} from './representation.ts';

const [firstMs, lastMs] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/** RFC 3339. Its offset may not carry it out of the years that RFC 3339 can write. */
export const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => !(Date.parse(text) < firstMs || Date.parse(text) > lastMs), 'must be in the years 0001 to 9999');

/** `GET` of the collection: a tenant's instances of one definition, page by page. */
export function listOperationOf(definition: ProcessDefinition): Operation {
  const filters = {
    status: z.enum(['running', 'closed']).optional(),
    step: z.enum(allStepsOf(definition)).optional().describe('Implies status running.'),
    outcome: z.enum(allOutcomesOf(definition)).optional().describe('Implies status closed.'),
    startedAfter: instant.optional().describe('Inclusive.'),
    startedBefore: instant.optional().describe('Exclusive.'),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z
      .string()
      .max(4_096)
      .optional()
      .describe('The `cursor` of the page before; good for the same filters only.'),
  } satisfies Record<GeneralFilter, z.ZodType>;
  const query = z.strictObject({
    ...filters,
    ...Object.fromEntries(Object.keys(definition.labels).map((label) => [label, businessKey.optional()])),
  });
  return defineOperation({
    ...readOf(definition),
    operationId: `list${collectionStemOf(definition)}`,
    path: collectionPathOf(definition),
    summary: 'Find instances: running ones first, then the last ended',
    cost: 'list',
    query,
    responses: { 200: { description: 'One page.', body: instanceSchemasOf(definition).page } },
    problems: ['invalid-cursor', ...problemsOfTelling(definition)],
    async handle(call, { gateway, permanentRows }) {
      const { status, step, outcome, startedAfter, startedBefore, limit, cursor, ...labels } = call.query;
      const instances = { definition, tenant: call.principal.tenant };
      const filter = {
        status,
        ...(step === interruptedStep ? { isStopped: true } : { step }),
        outcome,
        startedAfter: startedAfter === undefined ? undefined : new Date(startedAfter),
        startedBefore: startedBefore === undefined ? undefined : new Date(startedBefore),
        labels: Object.fromEntries(
          Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
        ),
      } satisfies ListFilter;
      const { items, cursor: next } = await gateway.list({ ...instances, filter, limit, cursor }, call.signal);
      const told = await tell(instances, items, permanentRows);
      return {
        status: 200,
        body: {
          items: told
            .filter((item) => fits(item, { status, step, outcome }))
            .map((item) => toRepresentation(definition, item, call.principal)),
          ...(next === undefined ? {} : { cursor: next }),
        },
      };
    },
  });
}

/** What the engine found by its own word may be told otherwise: then it is no answer to what was asked. */
const fits = (
  item: Told,
  asked: { status?: string | undefined; step?: string | undefined; outcome?: string | undefined },
) =>
  [
    [asked.status, item.status],
    [asked.step, item.step],
    [asked.outcome, item.outcome],
  ].every(([wanted, actual]) => wanted === undefined || wanted === actual);
