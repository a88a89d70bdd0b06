import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { findTemporalCli } from '../../local/temporal/cli.ts';
import { deliveryIdOf } from '../../src/catalog/delayed-tasks/delivery.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { createDevelopmentCaller } from '../harness/caller.ts';
import { killProcess, temporalServersOn } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { currentWorkflows, sharedBundle } from '../servers/bundles.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../servers/webhook-receiver.ts';

const tenant = 'patient';
const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'portico-tasks-'));
let program: Program;
let receiver: WebhookReceiver;
/** Requests to these paths are answered by nobody before the kill; one to `/last` is answered, and then comes the kill. */
let isKilled = false;

beforeAll(async () => {
  receiver = await startWebhookReceiver({
    answer: (request, response) => {
      if (isKilled) response.writeHead(204).end();
      else if (request.url === '/last') response.writeHead(204).end(() => program.kill('SIGKILL'));
      else if (request.url !== '/held') response.writeHead(503).end();
    },
  });
});
afterEach(async () => {
  await endPrograms();
  for (const pid of temporalServersOn(folder)) await killProcess(pid);
});
afterAll(async () => {
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the receiver got of a task. */
const receivedOf = (key: string) =>
  receiver.received
    .filter(({ headers }) => headers['webhook-id'] === deliveryIdOf({ tenant, key, generation: 1 }))
    .map(({ body }) => body.toString());

it('a kill of everything loses no task, at no moment of its delivery', async () => {
  const environment = {
    PORT: String(await freePort()),
    ADMIN_PORT: String(await freePort()),
    TEMPORAL_DEV_PORT: String(await freePort()),
    TEMPORAL_CLI_PATH: findTemporalCli({ environment: process.env, log: () => undefined }) ?? '',
    PORTICO_STATE_DIR: folder,
    PORTICO_WORKFLOW_BUNDLE: (await sharedBundle(currentWorkflows)).codePath,
  };
  const send = createDevelopmentCaller({ stateDir: folder, tenant }).at(`http://127.0.0.1:${environment.PORT}`);
  const create = async (key: string, body: object) => {
    const url = new URL(`/${key}`, receiver.url).href;
    const asked = { deliver: { webhook: { url, timeout: 'PT3S' } }, payload: { key }, ...body };
    const reply = await send.post('/v1/delayed-tasks', asked, { headers: { 'idempotency-key': key } });
    expect(reply.status).toBe(202);
    return reply.body;
  };
  const read = (key: string) => send.get(`/v1/delayed-tasks/${key}`);

  program = startProgram('start', environment);
  await program.ready();
  const yearly = await create('yearly', { after: 'P365D' });
  await create('retried', { after: 'PT0S', retry: { delays: ['PT6S'] } });
  await until(
    () => read('retried'),
    ({ body }) => body.step === 'retrying',
  );
  await create('held', { after: 'PT0S' });
  await until(
    () => receivedOf('held').length,
    (count) => count === 1,
  );
  await create('waiting', { after: 'PT5S' });
  // The kill may come before the answer.
  await create('last', { after: 'PT0S' }).catch(() => undefined);

  expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
  for (const pid of temporalServersOn(folder)) await killProcess(pid);
  isKilled = true;
  program = startProgram('start', environment);
  await program.ready();

  // A year is still to come: it is shown, and nothing was sent.
  const shown = await read('yearly');
  expect(shown.body).toMatchObject({ status: 'running', step: 'waiting', dueAt: yearly.dueAt, runId: yearly.runId });
  expect(Date.parse(yearly.dueAt) - Date.parse(yearly.startedAt)).toBe(365 * day);
  expect(receivedOf('yearly')).toEqual([]);
  const ran = await send.post('/v1/delayed-tasks/yearly/run-now', {}, { headers: { 'idempotency-key': 'now' } });
  expect(ran.body.output).toEqual({ accepted: true });

  for (const key of ['yearly', 'retried', 'held', 'waiting', 'last']) {
    const ended = await until(
      () => read(key),
      ({ body }) => body.status === 'closed',
    );
    expect([key, ended.body.outcome]).toEqual([key, 'delivered']);
    // Each attempt had the same id and the same bytes.
    expect(new Set(receivedOf(key)).size).toBe(1);
  }
  const attempts = Object.fromEntries(
    ['yearly', 'retried', 'held', 'waiting', 'last'].map((key) => [key, receivedOf(key).length]),
  );
  console.log(JSON.stringify(attempts));
  expect([attempts['yearly'], attempts['retried']]).toEqual([1, 2]);
  // Nobody had recorded how these ended.
  expect(attempts['held']).toBe(2);
  expect(attempts['last']).toBeGreaterThanOrEqual(1);
});
