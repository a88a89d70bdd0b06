import { z } from 'zod';
import type { ProcessDefinition } from '../catalog/define-process.ts';
import { businessKey } from '../catalog/fields.ts';
import type { InstanceSnapshot } from '../orchestration/instances.ts';
import { Problem } from '../problems.ts';
import {
  allOutcomesOf,
  answerWith,
  collectionPathOf,
  instanceSchemasOf,
  schemaStemOf,
  toRepresentation,
} from './instance-representation.ts';
import type { Answer, Call, Operation, Services } from './operation.ts';

export const instanceParams = z.object({ id: businessKey });

/** The address of the instance that a call names, always within the caller's own tenant. */
export const addressOf = (definition: ProcessDefinition, call: Call) => ({
  definition,
  tenant: call.principal.tenant,
  key: call.params['id'] ?? '',
});

/** What every definition can be asked: one instance, its result, and a list. */
export const readOperationsOf = (definition: ProcessDefinition): Operation[] => [
  getOperationOf(definition),
  resultOperationOf(definition),
  listOperationOf(definition),
];

const common = (definition: ProcessDefinition) => ({
  method: 'GET' as const,
  tag: definition.name,
  permission: `${definition.name}:read`,
  process: definition.name,
});

const getOperationOf = (definition: ProcessDefinition): Operation => ({
  ...common(definition),
  operationId: `get${schemaStemOf(definition)}`,
  path: `${collectionPathOf(definition)}/{id}`,
  summary: 'Where an instance stands',
  cost: 'read',
  params: instanceParams,
  responses: { 200: { description: 'The instance as it stands.', body: instanceSchemasOf(definition).instance } },
  problems: ['not-found', 'orchestration-timeout'],
  async handle(call, { gateway }) {
    const snapshot = await describe(addressOf(definition, call), call, gateway);
    return { status: 200, body: toRepresentation(definition, snapshot, call.principal) };
  },
});

const resultOperationOf = (definition: ProcessDefinition): Operation => {
  const { instance, withResult } = instanceSchemasOf(definition);
  return {
    ...common(definition),
    operationId: `get${schemaStemOf(definition)}Result`,
    path: `${collectionPathOf(definition)}/{id}/result`,
    summary: 'How an instance ended',
    cost: 'read',
    params: instanceParams,
    canWait: true,
    responses: {
      200: { description: 'The instance has ended.', body: withResult, headers: ['Preference-Applied'] },
      202: { description: 'It still runs.', body: instance, headers: ['Retry-After', 'Preference-Applied'] },
    },
    problems: ['not-found', 'orchestration-timeout'],
    handle: (call, { gateway }) => waitForResult(definition, call, gateway),
  };
};

/**
 * Answers with the result as soon as the instance has closed, or with the instance as it stands after the time the
 * caller is willing to wait.
 */
export async function waitForResult(
  definition: ProcessDefinition,
  call: Call,
  gateway: Services['gateway'],
): Promise<Answer> {
  const { signal, waitMs } = call;
  const address = addressOf(definition, call);
  let snapshot = await describe(address, call, gateway);
  if (snapshot.status === 'running' && waitMs > 0 && (await gateway.untilClosed(address, waitMs, signal))) {
    snapshot = await describe(address, call, gateway);
  }
  const headers = waitMs > 0 ? { 'Preference-Applied': `wait=${waitMs / 1_000}` } : {};
  return answerWith(await withResult(address, snapshot, call, gateway), headers);
}

/** The instance as the caller sees it; with the result, if it has closed and the caller may read. */
export async function withResult(
  address: ReturnType<typeof addressOf>,
  snapshot: InstanceSnapshot,
  { principal, signal }: Call,
  gateway: Services['gateway'],
): Promise<ReturnType<typeof toRepresentation> & { result?: unknown }> {
  const representation = toRepresentation(address.definition, snapshot, principal);
  const mayRead = principal.permissions.has(`${address.definition.name}:read`);
  if (snapshot.status === 'running' || !mayRead) return representation;
  return { ...representation, result: await gateway.result(address, signal) };
}

async function describe(address: ReturnType<typeof addressOf>, { signal }: Call, gateway: Services['gateway']) {
  const snapshot = await gateway.describe(address, signal);
  if (snapshot === undefined) throw new Problem('not-found');
  return snapshot;
}

function listOperationOf(definition: ProcessDefinition): Operation {
  const query = z.strictObject({
    status: z.enum(['running', 'closed']).optional(),
    step: z.enum(Object.keys(definition.steps)).optional().describe('Implies status running.'),
    outcome: z.enum(allOutcomesOf(definition)).optional().describe('Implies status closed.'),
    startedAfter: z.iso.datetime({ offset: true }).optional().describe('Inclusive.'),
    startedBefore: z.iso.datetime({ offset: true }).optional().describe('Exclusive.'),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z.string().max(4_096).optional().describe('From the page before; good for the same filters only.'),
    ...Object.fromEntries(Object.keys(definition.labels).map((label) => [label, businessKey.optional()])),
  });
  return {
    ...common(definition),
    operationId: `list${schemaStemOf(definition)}`,
    path: collectionPathOf(definition),
    summary: 'Find instances, newest first',
    cost: 'list',
    query,
    responses: { 200: { description: 'One page.', body: instanceSchemasOf(definition).page } },
    problems: ['invalid-cursor', 'orchestration-timeout'],
    async handle(call, { gateway }) {
      const { status, step, outcome, startedAfter, startedBefore, limit, cursor, ...labels } = query.parse(call.query);
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
  };
}
