import proto from '@temporalio/proto';
import { afterEach, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createGateway } from '../../src/orchestration/gateway.ts';
import { workflowIdOf } from '../../src/orchestration/identity.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { unique } from '../harness/portico.ts';
import { connectOperator } from '../harness/temporal-operator.ts';
import { failure, startFakeFrontend } from '../servers/fake-frontend.ts';
import { startTemporalServer, temporalAddress } from '../servers/temporal.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** What one process starts, and the calls that each start made. No worker runs. */
function startsAt(address: string) {
  const calls: string[] = [];
  const observe = (method: string) => {
    // The connection looks after its health besides.
    if (method !== 'Check') calls.push(method);
  };
  const { connection, close } = createConnection({ settings: { address }, observe });
  releases.push(close);
  const deadlines = { startMs: 25_000, readMs: 25_000, actionMs: 25_000 };
  const gateway = createGateway({ connection, namespace: 'default', deadlines });
  return async (key: string, { note = '', replacesClosed = false } = {}) => {
    calls.splice(0);
    const to = { definition: probesV1, tenant: 'known-starts', key };
    const startedBy = { iss: 'i', sub: 's' };
    const { kind } = await gateway.start({ ...to, body: { note }, input: {}, startedBy, replacesClosed });
    return [kind, ...calls.map((call) => call.replace('WorkflowExecution', ''))].join(' ');
  };
}

it('a start that this process has seen is answered by one read, one of another process by two calls', async () => {
  const [here, there] = [startsAt(temporalAddress()), startsAt(temporalAddress())];
  const key = unique('seen');
  expect(await here(key)).toBe('created Start');
  expect(await here(key)).toBe('joined Describe');
  expect(await here(key, { note: 'other' })).toBe('mismatch Start');
  expect(await there(key)).toBe('joined Start Describe');
  expect(await there(key)).toBe('joined Describe');
});

it('what is found decides: an instance that is gone is started, one with another payload is a mismatch', async () => {
  const server = await startTemporalServer();
  const operator = await connectOperator(server.address);
  releases.push(server.stop, operator.close);
  const [here, there] = [startsAt(server.address), startsAt(server.address)];
  const key = unique('gone');
  const id = workflowIdOf({ tenant: 'known-starts', process: probesV1.name, key });
  const forget = async () => {
    await operator.terminate(id);
    await operator.forget(id);
  };
  await here(key);
  await forget();
  expect(await here(key)).toBe('created Describe Start');
  await forget();
  expect(await there(key, { note: 'other' })).toBe('created Start');
  expect(await here(key)).toBe('mismatch Describe');
});

it('a closed instance is found as well, and who replaces it is not told of it', async () => {
  const operator = await connectOperator(temporalAddress());
  releases.push(operator.close);
  const [here, there] = [startsAt(temporalAddress()), startsAt(temporalAddress())];
  const key = unique('replaced');
  await here(key);
  await operator.terminate(workflowIdOf({ tenant: 'known-starts', process: probesV1.name, key }));
  expect(await here(key)).toBe('replayed Describe');
  expect(await there(key)).toBe('replayed Start Describe');
  expect(await here(key, { replacesClosed: true })).toBe('created Start');
});

it('a look that fails leaves the outcome unknown: the instance was started before', async () => {
  const created = proto.temporal.api.workflowservice.v1.StartWorkflowExecutionResponse.encode({ runId: 'r' }).finish();
  const { address, stop } = await startFakeFrontend({
    StartWorkflowExecution: () => created,
    DescribeWorkflowExecution: () => failure('PERMISSION_DENIED'),
  });
  releases.push(stop);
  const start = startsAt(address);
  expect(await start('p-1')).toBe('created Start');
  expect(await start('p-1')).toBe('unknown Describe');
});
