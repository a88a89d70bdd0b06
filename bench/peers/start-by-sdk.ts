import type { Client, ConnectionLike } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { transfersV1 } from '../../src/catalog/transfers.ts';
import { userGrantsV1 } from '../../src/catalog/user-grants.ts';
import type { Envelope } from '../../src/definition/envelope.ts';
import { workflowIdOf } from '../../src/orchestration/identity.ts';
import { toRawStart } from '../../src/orchestration/start-request.ts';
import { freshKey, grantOf, knownKey, type RequestContext, transferOf } from '../load/requests.ts';

/** The tenant of all requests, by Portico as by its peers. */
export const tenant = 'bench';

const actor = { iss: 'bench', sub: 'bench' };
// As long as a real one.
const fingerprint = `f1.${'0123456789abcdef'.repeat(4)}`;

const keyword = (name: string, value: string) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value });

const refOf = (key: string) => ({ tenant, process: userGrantsV1.name, key });

/** The id of the workflow that a peer starts for this key: the one that Portico would start. */
export const idOf = (key: string): string => workflowIdOf(refOf(key));

/** The same start that Portico makes, by the SDK's own client: the same workflow, input, memo and search attributes. */
export const startBySdk = (client: Client, key: string, input: unknown = grantOf(key)) =>
  client.workflow.start(userGrantsV1.workflow, {
    workflowId: idOf(key),
    taskQueue: userGrantsV1.taskQueue,
    args: [
      { input, context: { tenant, key, generation: 1, startedBy: actor, fingerprint } } satisfies Envelope<unknown>,
    ],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    memo: { fingerprint, startedAt: new Date().toISOString(), startedBy: actor },
    typedSearchAttributes: [
      keyword('PorticoTenant', tenant),
      keyword('PorticoProcess', userGrantsV1.name),
      keyword('PorticoStep', 'congratulating'),
      { key: defineSearchAttributeKey('PorticoLabels', 'KEYWORD_LIST'), value: [] },
    ],
  });

/** A transfer of one step, as Portico starts it where the share of that implementation is 1. */
const startTransferBySdk = (client: Client, key: string) =>
  client.workflow.start('transfersAtOnce', {
    workflowId: workflowIdOf({ tenant, process: transfersV1.name, key }),
    taskQueue: transfersV1.taskQueue,
    args: [{ input: transferOf(key), context: { tenant, key, generation: 1, startedBy: actor, fingerprint } }],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    memo: { fingerprint, startedAt: new Date().toISOString(), startedBy: actor },
    typedSearchAttributes: [
      keyword('PorticoTenant', tenant),
      keyword('PorticoProcess', transfersV1.name),
      keyword('PorticoStep', 'opening'),
      { key: defineSearchAttributeKey('PorticoLabels', 'KEYWORD_LIST'), value: ['from:a', 'to:b'] },
    ],
  });

/** The same start by the raw service: no handle, no interceptors. */
export async function startRaw(connection: ConnectionLike, key: string): Promise<void> {
  const call = { definition: userGrantsV1, tenant, key, body: grantOf(key), input: grantOf(key), startedBy: actor };
  const facts = { namespace: 'default', fingerprint, startedAt: new Date().toISOString() };
  await connection.workflowService.startWorkflowExecution(await toRawStart(call, facts));
}

/** What a direct client does for each kind of request. */
export function directSends(client: Client) {
  return (kind: unknown, context: RequestContext) => {
    let known = 0;
    switch (kind) {
      case 'start':
        return (index: number) => startBySdk(client, freshKey(context, index));
      case 'know':
        return () => startBySdk(client, knownKey(context, known++));
      case 'read':
        return (index: number) => client.workflow.getHandle(idOf(knownKey(context, index))).describe();
      case 'result':
        return async (index: number) => {
          const handle = await startBySdk(client, freshKey(context, index));
          await handle.result();
        };
      case 'transfer':
        return async (index: number) => {
          const handle = await startTransferBySdk(client, freshKey(context, index));
          await handle.result();
        };
      default:
        throw new Error(`a direct client has no ${String(kind)}`);
    }
  };
}
