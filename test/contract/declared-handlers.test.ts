import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { waitingTransfer } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  [portico, operator] = await Promise.all([
    startPortico({ environment: { PORTICO_TRANSFERS_AT_ONCE_SHARE: '0.5' } }),
    connectOperator(temporalAddress()),
  ]);
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => Promise.all([portico.stop(), operator.close()]));

async function startedProbe(given: object): Promise<string> {
  const key = unique('probe');
  await portico.post('/v1/probes', { probeId: key, ...given });
  return key;
}

/** A transfer that waits for approval, of that implementation. Their keys share them out, half and half. */
async function waitingTransferOf(workflow: string): Promise<string> {
  for (;;) {
    const key = await waitingTransfer(portico);
    const { workflowExecutionInfo } = await operator.connection.workflowService.describeWorkflowExecution({
      namespace: 'default',
      execution: { workflowId: `${portico.tenant}/transfers/${key}` },
    });
    if (workflowExecutionInfo?.type?.name === workflow) return key;
  }
}

describe('every declared action and view', () => {
  it('has a handler in an instance that runs', async () => {
    // One start for each implementation.
    const starts: Record<string, (() => Promise<string>)[]> = {
      transfers: [() => waitingTransferOf('transfers'), () => waitingTransferOf('transfersAtOnce')],
      'user-grants': [
        async () => {
          const userId = unique('user');
          await portico.post('/v1/user-grants', { userId, name: 'Ann' });
          return userId;
        },
      ],
      'delayed-tasks': [
        async () => {
          const key = unique('task');
          const later = { after: 'PT1H', deliver: { webhook: { url: 'http://127.0.0.1:1/hook' } } };
          await portico.post('/v1/delayed-tasks', later, { headers: { 'idempotency-key': key } });
          return key;
        },
      ],
      probes: [() => startedProbe({}), () => startedProbe({ color: 'green' })],
    };
    for (const definition of [...catalog, probesV1]) {
      const workflows = new Set([definition.workflow, ...definition.implementations.map(({ workflow }) => workflow)]);
      expect(starts[definition.name] ?? [], `a start for each implementation of ${definition.name}`).toHaveLength(
        workflows.size,
      );
      for (const start of starts[definition.name] ?? []) {
        const key = await start();
        const { queryResult } = await operator.connection.workflowService.queryWorkflow({
          namespace: 'default',
          execution: { workflowId: `${portico.tenant}/${definition.name}/${key}` },
          query: { queryType: '__temporal_workflow_metadata' },
        });
        const [payload] = queryResult?.payloads ?? [];
        const metadata = JSON.parse(Buffer.from(payload?.data ?? []).toString()) as {
          definition?: Record<'queryDefinitions' | 'updateDefinitions', { name: string }[] | undefined>;
        };
        const names = (kind: 'queryDefinitions' | 'updateDefinitions') =>
          metadata.definition?.[kind]?.map(({ name }) => name) ?? [];
        expect(names('updateDefinitions')).toEqual(expect.arrayContaining(Object.keys(definition.actions)));
        expect(names('queryDefinitions')).toEqual(expect.arrayContaining(Object.keys(definition.views)));
      }
    }
  });
});
