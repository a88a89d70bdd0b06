import { z } from 'zod';
import { permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { type Hold, type HoldPut, rowsOf } from '../definition/permanent-row.ts';
import { Problem } from '../problems.ts';
import { defineOperation, type Operation, type Services } from './operation.ts';
import { addressOf, instanceParams, readOf } from './reads.ts';
import { collectionPathOf, hold, resourceStemOf, toHoldBody } from './representation.ts';

const holdInput = z
  .strictObject({ note: z.string().min(1).max(500).describe('Why, for those who come after.') })
  .meta({ id: 'HoldInput' });

/** How an operator keeps the reconciler away from one instance. None where no reconciler resumes the process. */
export const holdOperationsOf = (definition: ProcessDefinition): Operation[] =>
  definition.permanentRow === undefined ? [] : [putOf(definition), getOf(definition), deleteOf(definition)];

/** What the three share. They need the database alone: an operator can hold back while Temporal is away. */
const common = (definition: ProcessDefinition) =>
  ({
    tag: definition.name,
    path: `${collectionPathOf(definition)}/{id}/hold`,
    params: instanceParams,
  }) as const;

const putOf = (definition: ProcessDefinition): Operation =>
  defineOperation({
    ...common(definition),
    operationId: `hold${resourceStemOf(definition)}`,
    method: 'PUT',
    summary: 'Keep the reconciler from resuming an instance',
    permission: permissionOf(definition, 'hold'),
    cost: 'action',
    body: holdInput,
    responses: {
      200: { description: 'It was held back before; this hold is in force now.', body: hold },
      201: { description: 'Held back.', body: hold },
    },
    problems: ['not-found', 'too-late'],
    async handle(call, services) {
      const { tenant, key } = addressOf(definition, call);
      const { note } = call.body;
      const put = await holdsOf(definition, services).put({ tenant, key, note, by: call.principal.actor });
      return { status: put.kind === 'created' ? 201 : 200, body: toHoldBody(inForce(put)) };
    },
  });

function inForce(put: HoldPut): Hold {
  if (put.kind === 'unknown') throw new Problem('not-found');
  if (put.kind === 'ended') throw new Problem('too-late');
  return put.hold;
}

const getOf = (definition: ProcessDefinition): Operation =>
  defineOperation({
    ...common(definition),
    operationId: `get${resourceStemOf(definition)}Hold`,
    method: 'GET',
    summary: 'Who holds an instance back, and why',
    permission: readOf(definition).permission,
    cost: 'read',
    responses: { 200: { description: 'The hold in force.', body: hold } },
    problems: ['not-found'],
    async handle(call, { permanentRows }) {
      const { tenant, key } = addressOf(definition, call);
      const found = (await rowsOf(definition, permanentRows)?.find(tenant, [key]))?.get(key)?.hold;
      if (found === undefined) throw new Problem('not-found');
      return { status: 200, body: toHoldBody(found) };
    },
  });

const deleteOf = (definition: ProcessDefinition): Operation =>
  defineOperation({
    ...common(definition),
    operationId: `release${resourceStemOf(definition)}`,
    method: 'DELETE',
    summary: 'Let the reconciler resume an instance again',
    permission: permissionOf(definition, 'hold'),
    cost: 'action',
    responses: { 204: { description: 'No hold is in force any more.' } },
    problems: ['not-found'],
    async handle(call, services) {
      const { tenant, key } = addressOf(definition, call);
      const isReleased = await holdsOf(definition, services).release({ tenant, key, by: call.principal.actor });
      if (!isReleased) throw new Problem('not-found');
      return { status: 204 };
    },
  });

function holdsOf(definition: ProcessDefinition, { permanentRows }: Pick<Services, 'permanentRows'>) {
  const rows = rowsOf(definition, permanentRows);
  if (rows === undefined) throw new Error('a process without permanent rows has no holds');
  return rows.holds;
}
