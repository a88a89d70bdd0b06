import { catalog } from '../catalog/index.ts';
import type { ProcessDefinition } from '../definition/definition.ts';
import { actionOperationsOf, viewOperationsOf } from './actions.ts';
import { batchOperationOf } from './batch.ts';
import { eventsOperationOf } from './events.ts';
import { holdOperationsOf } from './holds.ts';
import { listOperationOf } from './list.ts';
import { type Operation, perItem } from './operation.ts';
import { readOperationsOf } from './reads.ts';
import { accountOperations } from './resources/accounts.ts';
import { endpointOperations } from './resources/endpoints.ts';
import { scheduleOperations } from './resources/schedules.ts';
import { scheduleActionOperations } from './resources/schedules-actions.ts';
import { suspenseOperations } from './resources/suspense.ts';
import { userOperations } from './resources/users.ts';
import { startOperationOf } from './start.ts';

/** Every resource that is no process, each in a file of its own in `resources/`. */
const resources: readonly Operation[] = [
  ...accountOperations,
  ...endpointOperations,
  ...scheduleOperations,
  ...scheduleActionOperations,
  ...suspenseOperations,
  ...userOperations,
];

/** All that can be asked of one process over HTTP. */
export const operationsOf = (definition: ProcessDefinition): Operation[] => [
  startOperationOf(definition),
  ...readOperationsOf(definition),
  listOperationOf(definition),
  ...viewOperationsOf(definition),
  ...holdOperationsOf(definition),
  ...actionOperationsOf(definition),
];

/** Everything Portico serves: one list for the routes and for the OpenAPI document. */
export function operationsWith(definitions: readonly ProcessDefinition[]): Operation[] {
  const ofProcesses = definitions.flatMap(operationsOf);
  return [...ofProcesses, ...resources, batchOperationOf(ofProcesses), eventsOperationOf(definitions, ofProcesses)];
}

export const operations = operationsWith(catalog);

/** The permissions tokens may carry. */
export const permissionsOf = (list: readonly Operation[]): ReadonlySet<string> =>
  new Set(list.map(({ permission }) => permission).filter((permission) => permission !== perItem));
