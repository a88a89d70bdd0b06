import { z } from 'zod';
import type { ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import type { GeneralFilter } from '../definition/reserved-names.ts';
import { defineOperation, type Operation } from './operation.ts';
import { readOf } from './reads.ts';
import {
  allOutcomesOf,
  collectionPathOf,
  instanceSchemasOf,
  schemaStemOf,
  toRepresentation,
} from './representation.ts';

const [firstMs, lastMs] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/** RFC 3339. Its offset may not carry it out of the years that RFC 3339 can write. */
const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => !(Date.parse(text) < firstMs || Date.parse(text) > lastMs), 'must be in the years 0001 to 9999');

/** `GET` of the collection: a tenant's instances of one definition, page by page. */
export function listOperationOf(definition: ProcessDefinition): Operation {
  const filters = {
    status: z.enum(['running', 'closed']).optional(),
    step: z.enum(Object.keys(definition.steps)).optional().describe('Implies status running.'),
    outcome: z.enum(allOutcomesOf(definition)).optional().describe('Implies status closed.'),
    startedAfter: instant.optional().describe('Inclusive.'),
    startedBefore: instant.optional().describe('Exclusive.'),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z.string().max(4_096).optional().describe('From the page before; good for the same filters only.'),
  } satisfies Record<GeneralFilter, z.ZodType>;
  const query = z.strictObject({
    ...filters,
    ...Object.fromEntries(Object.keys(definition.labels).map((label) => [label, businessKey.optional()])),
  });
  return defineOperation({
    ...readOf(definition),
    operationId: `list${schemaStemOf(definition)}`,
    path: collectionPathOf(definition),
    summary: 'Find instances: running ones first, then the last ended',
    cost: 'list',
    query,
    responses: { 200: { description: 'One page.', body: instanceSchemasOf(definition).page } },
    problems: ['invalid-cursor'],
    async handle(call, { gateway }) {
      const { status, step, outcome, startedAfter, startedBefore, limit, cursor, ...labels } = call.query;
      const { items, cursor: next } = await gateway.list(
        {
          definition,
          tenant: call.principal.tenant,
          filter: {
            status,
            step,
            outcome,
            startedAfter: startedAfter === undefined ? undefined : new Date(startedAfter),
            startedBefore: startedBefore === undefined ? undefined : new Date(startedBefore),
            labels: Object.fromEntries(
              Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
            ),
          },
          limit,
          cursor,
        },
        call.signal,
      );
      return {
        status: 200,
        body: {
          items: items.map((snapshot) => toRepresentation(definition, snapshot, call.principal)),
          ...(next === undefined ? {} : { cursor: next }),
        },
      };
    },
  });
}
