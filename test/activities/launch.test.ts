import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createLaunch } from '../../activities/launch.ts';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createGateway } from '../../src/orchestration/gateway.ts';
import { allotmentsV1, allowance } from '../fixtures/allotments.ts';
import { parcelsV1, probesV1 } from '../fixtures/probes.ts';
import { judgesNothing } from '../harness/judging.ts';
import { unique } from '../harness/portico.ts';
import { temporalAddress } from '../servers/temporal.ts';

// Nobody works on this queue: what is started stays as it was started.
const definitions = [probesV1, parcelsV1, allotmentsV1].map((each) => ({ ...each, taskQueue: unique('launch') }));
const deadlines = { startMs: 25_000, readMs: 25_000, actionMs: 25_000 };
const tenant = unique('tenant');
const order = { tenant, process: 'probes', input: {}, startedBy: { iss: 'i', sub: 'ada' } };

let opened: ReturnType<typeof openGateway>;

function openGateway(address: string) {
  const { connection, close } = createConnection({ settings: { address, tls: false }, observe: () => undefined });
  const gateway = createGateway({ connection, namespace: 'default', deadlines });
  return { gateway, close, launch: createLaunch({ gateway, definitions, judging: judgesNothing }) };
}

beforeAll(() => {
  opened = openGateway(temporalAddress());
});
afterAll(() => opened.close());

it('starts an instance once for its key, however often it is tried', async () => {
  const key = unique('key');
  const launched = await Promise.all(Array.from({ length: 8 }, () => opened.launch({ ...order, key })));
  const joined = Array.from({ length: 7 }, () => ({ kind: 'joined', key }));
  expect(launched.toSorted((one, other) => one.kind.localeCompare(other.kind))).toEqual([
    { kind: 'created', key },
    ...joined,
  ]);
  const [definition] = definitions;
  if (definition === undefined) throw new Error('there is a definition');
  expect(await opened.gateway.describe({ definition, tenant, key })).toMatchObject({ status: 'running' });
});

it('answers the id of an instance whose key is hashed', async () => {
  const launched = await opened.launch({ ...order, process: 'parcels', input: { probeId: 'p' }, key: 'a b c' });
  expect(launched).toMatchObject({ kind: 'created', key: expect.stringMatching(/^h\./) as unknown });
});

it('refuses what no repetition can start', async () => {
  const key = unique('key');
  await opened.launch({ ...order, key });
  expect([
    await opened.launch({ ...order, key, input: { color: 'red' } }),
    await opened.launch({ ...order, key, input: { color: 1 } }),
    await opened.launch({ ...order, key, process: 'nothing' }),
  ]).toEqual([
    { kind: 'refused', code: 'idempotency-mismatch' },
    { kind: 'refused', code: 'invalid-request' },
    { kind: 'refused', code: 'invalid-request' },
  ]);
});

it('answers for what it started before, also where the definition would refuse it now', async () => {
  const { most } = allowance;
  onTestFinished(() => void (allowance.most = most));
  const asked = { ...order, process: 'allotments', input: { asked: 5 }, key: unique('key') };
  expect(await opened.launch(asked)).toMatchObject({ kind: 'created' });
  allowance.most = 0;
  expect(await opened.launch(asked)).toMatchObject({ kind: 'joined' });
  await expect(opened.launch({ ...asked, key: unique('key') })).rejects.toMatchObject({ code: 'limit-reached' });
});

it('fails as one that may be repeated where Temporal does not answer', async () => {
  const nowhere = openGateway('127.0.0.1:1');
  await expect(nowhere.launch({ ...order, key: 'k' })).rejects.toMatchObject({ kind: { retryable: true } });
  await nowhere.close();
});
