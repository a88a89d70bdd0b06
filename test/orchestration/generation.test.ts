import { afterAll, beforeAll, expect, it } from 'vitest';
import { decode } from '../../src/orchestration/codec.ts';
import { type Gateway } from '../../src/orchestration/gateway.ts';
import { openOrchestration } from '../../src/orchestration/orchestration.ts';
import { toRawStart } from '../../src/orchestration/start-request.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { unique } from '../harness/portico.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let orchestration: ReturnType<typeof openOrchestration>;
let gateway: Gateway;
beforeAll(() => {
  orchestration = openOrchestration({
    temporal: { connection: { address: temporalAddress() }, namespace: 'default' },
    deadlines: { startMs: 5_000, readMs: 5_000, actionMs: 5_000 },
    visibilityPerSecond: 0,
    observe: () => undefined,
    logger: silentLogger,
  });
  ({ gateway } = orchestration);
});
afterAll(() => orchestration.close());

// Nobody works on this queue: the instances stay in their first step.
const definition = { ...probesV1, taskQueue: unique('nobody') };

it('an instance of a second generation stands beside the first of its key', async () => {
  const address = { definition, tenant: unique('tenant'), key: 'k' };
  const start = (generation?: number) =>
    gateway.start({ ...address, generation, body: {}, input: {}, startedBy: { iss: 'i', sub: 's' } });
  const second = { ...address, generation: 2 };

  expect((await start(2)).kind).toBe('created');
  expect(await gateway.describe(address)).toBeUndefined();
  expect(await gateway.describe(second)).toMatchObject({ id: 'k', status: 'running', step: 'waiting' });

  expect((await start()).kind).toBe('created');
  expect((await start(1)).kind).toBe('joined');
  expect((await start(2)).kind).toBe('joined');
  const [one, two] = [await gateway.describe(address), await gateway.describe(second)];
  expect(one?.runId).not.toBe(two?.runId);
});

it('a process is told its generation, which is 1 unless its caller says otherwise', async () => {
  const call = { definition, tenant: 'acme', key: 'k', body: {}, input: {}, startedBy: { iss: 'i', sub: 's' } };
  const facts = { namespace: 'default', fingerprint: 'f', startedAt: '2026-01-01T00:00:00.000Z' };
  const contextOf = async (generation?: number) => {
    const { workflowId, input } = await toRawStart({ ...call, generation }, facts);
    return [workflowId, await decode(input?.payloads?.[0])];
  };
  expect(await contextOf()).toMatchObject(['acme/probes/k', { context: { generation: 1 } }]);
  expect(await contextOf(2)).toMatchObject(['acme/probes/k~2', { context: { generation: 2 } }]);
});

it('a gateway without the secret for cursors counts instances and refuses lists', async () => {
  const request = { definition, tenant: 'acme', filter: { labels: {} }, limit: 1 };
  await expect(gateway.list(request)).rejects.toThrow('secret');
  await until(
    () => gateway.countOpen(definition.name),
    (count) => count > 0,
  );
});
