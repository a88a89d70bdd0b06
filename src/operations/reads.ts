import { z } from 'zod';
import { permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import { isInterrupted, tellOne, type Told } from '../definition/told.ts';
import type { WaitedFor } from '../orchestration/results.ts';
import { Problem } from '../problems.ts';
import { type Call, defineOperation, type Operation, type Services } from './operation.ts';
import {
  answerWith,
  collectionPathOf,
  instanceSchemasOf,
  problemsOfTelling,
  resourceStemOf,
  toRepresentation,
} from './representation.ts';

export const instanceParams = z.object({ id: businessKey });

/** What reading an instance needs. */
type InstanceServices = Pick<Services, 'gateway' | 'permanentRows'>;

type InstanceCall = Call<z.output<typeof instanceParams>>;

/** The address of the instance that a call names, always within the caller's own tenant. */
export const addressOf = (definition: ProcessDefinition, call: Pick<InstanceCall, 'params' | 'principal'>) => ({
  definition,
  tenant: call.principal.tenant,
  key: call.params.id,
});

/** What every definition can be asked: one instance and its result. */
export const readOperationsOf = (definition: ProcessDefinition): Operation[] => [
  getOperationOf(definition),
  resultOperationOf(definition),
];

/** What all reads of a definition share. */
export const readOf = (definition: ProcessDefinition) => ({
  method: 'GET' as const,
  tag: definition.name,
  permission: permissionOf(definition, 'read'),
  process: definition.name,
});

const getOperationOf = (definition: ProcessDefinition): Operation =>
  defineOperation({
    ...readOf(definition),
    operationId: `get${resourceStemOf(definition)}`,
    path: `${collectionPathOf(definition)}/{id}`,
    summary: 'Where an instance stands',
    cost: 'read',
    params: instanceParams,
    responses: { 200: { description: 'The instance as it stands.', body: instanceSchemasOf(definition).instance } },
    problems: ['not-found', ...problemsOfTelling(definition)],
    async handle(call, services) {
      const told = await describe(addressOf(definition, call), call, services);
      return { status: 200, body: toRepresentation(definition, told, call.principal) };
    },
  });

const resultOperationOf = (definition: ProcessDefinition): Operation => {
  const schemas = instanceSchemasOf(definition);
  return defineOperation({
    ...readOf(definition),
    operationId: `get${resourceStemOf(definition)}Result`,
    path: `${collectionPathOf(definition)}/{id}/result`,
    summary: 'How an instance ended',
    cost: 'read',
    params: instanceParams,
    understands: ['prefer-wait'],
    responses: {
      200: { description: 'The instance has ended.', body: schemas.withResult, headers: ['Preference-Applied'] },
      202: { description: 'It still runs.', body: schemas.instance, headers: ['Retry-After', 'Preference-Applied'] },
    },
    problems: ['not-found', ...problemsOfTelling(definition)],
    handle: (call, services) => waitForResult(definition, call, services),
  });
};

/**
 * Answers with the result as soon as the instance has closed, or with the instance as it stands after the time the
 * caller is willing to wait. An interrupted instance is not waited for.
 */
export async function waitForResult(definition: ProcessDefinition, call: InstanceCall, services: InstanceServices) {
  const { signal, waitMs } = call;
  const address = addressOf(definition, call);
  let told = await describe(address, call, services);
  const mustWait = waitMs > 0 && told.status === 'running' && !isInterrupted(told);
  if (mustWait) call.endTurn();
  const waited = mustWait ? await services.gateway.untilClosed(address, told, waitMs, signal) : notAsked;
  const ended = endedAs(told, waited);
  if (ended !== undefined) told = await tellOne(address, ended, services.permanentRows);
  else if (waited.kind === 'closed' || waited.kind === 'ended') told = await describe(address, call, services);
  const isWaitHonoured = waitMs > 0 && waited.kind !== 'not-waited' && (mustWait || told.status === 'closed');
  const headers = isWaitHonoured ? { 'Preference-Applied': `wait=${waitMs / 1_000}` } : {};
  return answerWith(await withResult(address, told, call, services), headers);
}

const notAsked = { kind: 'running' } as const;

/** The instance as it ended, with its result, where a wait brought its own last word; undefined where it has to be read. */
export const endedAs = ({ id, runId, startedAt, details }: Told, waited: WaitedFor): Told | undefined =>
  // Details may have changed during the wait.
  waited.kind === 'ended' && details === undefined
    ? { id, ...(runId === undefined ? {} : { runId }), startedAt, ...waited.end, result: waited.result }
    : undefined;

/** The instance as the caller sees it; with the result, if it has closed and the caller may read. */
export async function withResult(
  address: ReturnType<typeof addressOf>,
  told: Told,
  { principal, signal }: Pick<Call, 'principal' | 'signal'>,
  { gateway }: Pick<Services, 'gateway'>,
): Promise<ReturnType<typeof toRepresentation> & { result?: unknown }> {
  const representation = toRepresentation(address.definition, told, principal);
  const mayRead = principal.permissions.has(permissionOf(address.definition, 'read'));
  if (told.status === 'running' || !mayRead) return representation;
  return { ...representation, result: told.result ?? (await gateway.result(address, signal)) };
}

/** The instance as its callers are told it. Throws `not-found`. */
export async function describe(
  address: ReturnType<typeof addressOf>,
  { signal }: Pick<Call, 'signal'>,
  { gateway, permanentRows }: InstanceServices,
): Promise<Told> {
  const snapshot = await gateway.describe(address, signal);
  if (snapshot === undefined) throw new Problem('not-found');
  return tellOne(address, snapshot, permanentRows);
}
