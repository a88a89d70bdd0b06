import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { signDevelopmentToken } from '../local/development-token.ts';
import { readRecord } from '../local/temporal/ports.ts';
import { userGrantsV1 } from '../src/catalog/user-grants.ts';
import type { Envelope } from '../src/definition/envelope.ts';
import { operations, permissionsOf } from '../src/operations/index.ts';
import { workflowIdOf } from '../src/orchestration/identity.ts';

/**
 * `npm run bench`: how long one request takes, at the median and at the 95th percentile, against a Portico that
 * `npm start` runs on this machine, and for comparison a start by Temporal's own SDK on the same server. Machines differ
 * and are noisy: compare the rows of one run, not two runs.
 */
const stateDir = process.env['PORTICO_STATE_DIR'] ?? '.portico';
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    temporal: { type: 'string', default: `127.0.0.1:${readRecord(join(stateDir, 'temporal'))?.port ?? 7_233}` },
    requests: { type: 'string', default: '200' },
    callers: { type: 'string', default: '1' },
  },
});
const [count, callers] = [wholeNumber(values.requests, 10_000), wholeNumber(values.callers, 100)];
const url = new URL(values.url);
for (const { hostname } of [url, new URL(`tcp://${values.temporal}`)]) {
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) fail('a benchmark is for this machine alone');
}

const tenant = `bench-${randomUUID().slice(0, 8)}`;
const token = await signDevelopmentToken(stateDir, {
  subject: 'bench',
  tenant,
  permissions: [...permissionsOf(operations)],
  lifetimeSeconds: 3_600,
});

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { readonly items: readonly unknown[] };
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`);
  return answer;
}

const transfer = (transferId: string) => ({ transferId, from: 'a', to: 'b', amount: { currency: 'EUR', minor: '1' } });
const grant = (userId: string) => ({ userId, name: 'Ann' });

const connection = await Connection.connect({ address: values.temporal, connectTimeout: 2_000 }).catch(() =>
  fail(`no Temporal server answers at ${values.temporal}: --temporal says where the one of \`npm start\` is`),
);
const client = new Client({ connection });
/** The same work for Temporal and for the worker, without Portico before it. */
const startBySdk = (userId: string) => {
  const context = { tenant, key: userId, generation: 1, startedBy: { iss: 'bench', sub: 'bench' }, fingerprint: '' };
  return client.workflow.start(userGrantsV1.workflow, {
    workflowId: workflowIdOf({ tenant, process: userGrantsV1.name, key: userId }),
    taskQueue: userGrantsV1.taskQueue,
    args: [{ input: grant(userId), context } satisfies Envelope<unknown>],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    typedSearchAttributes: [
      { key: defineSearchAttributeKey('PorticoTenant', 'KEYWORD'), value: tenant },
      { key: defineSearchAttributeKey('PorticoProcess', 'KEYWORD'), value: userGrantsV1.name },
    ],
  });
};

const cases: Readonly<Record<string, (index: number) => Promise<unknown>>> = {
  'read an account': () => send('GET', '/v1/accounts/a'),
  'read an instance': () => send('GET', '/v1/user-grants/u-0'),
  'start, fresh': (index) => send('POST', '/v1/user-grants', grant(`u-${index}`)),
  'start, by the SDK': (index) => startBySdk(`sdk-${index}`),
  'start, again': (index) => send('POST', '/v1/user-grants', grant(`u-${index}`)),
  'transfer to its end': (index) => send('POST', '/v1/transfers', transfer(`t-${index}`), { prefer: 'wait=20' }),
};

await fetch(url).catch(() =>
  fail(`no Portico answers at ${url.origin}: run \`npm start\` first, or say where by --url`),
);
for (const id of ['a', 'b']) {
  await send('PUT', `/v1/accounts/${id}`, { currency: 'EUR', openingBalance: { minor: '1000000000' } });
}
await send('POST', '/v1/user-grants', grant('u-0'));
console.log(`${count} requests of each kind by ${callers} callers against ${url.origin}`);
for (const [name, run] of Object.entries(cases)) {
  console.log(row(name, await timesOf(run)));
  await untilIdle();
}
await connection.close();

/** Resolves when nothing of what was started runs any more: it would take the next row's time. */
async function untilIdle(): Promise<void> {
  const endsAt = Date.now() + 120_000;
  for (const collection of ['user-grants', 'transfers']) {
    while ((await send('GET', `/v1/${collection}?status=running&limit=1`)).items.length > 0) {
      if (Date.now() > endsAt) fail(`some ${collection} still run after two minutes: is there no worker?`);
      await sleep(250);
    }
  }
}

/** Milliseconds each request took, in ascending order. */
async function timesOf(run: (index: number) => Promise<unknown>): Promise<{ times: number[]; totalMs: number }> {
  const times: number[] = [];
  let next = 1;
  const begun = performance.now();
  const call = async () => {
    while (next <= count) {
      const index = next++;
      const startedAt = performance.now();
      await run(index);
      times.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return { times: times.sort((a, b) => a - b), totalMs: performance.now() - begun };
}

function row(name: string, { times, totalMs }: { times: number[]; totalMs: number }): string {
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1).padStart(8);
  const perSecond = ((1_000 * times.length) / totalMs).toFixed(0).padStart(6);
  return `${name.padEnd(22)} median ${at(0.5)} ms   95 % ${at(0.95)} ms   ${perSecond} a second`;
}

function wholeNumber(text: string, max: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > max) fail(`must be a whole number up to ${max}: ${text}`);
  return number;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
