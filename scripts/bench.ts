import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { operations, permissionsOf } from '../src/http/operations.ts';
import { signDevelopmentToken } from './development-token.ts';

/**
 * `npm run bench`: how long one request takes, at the median and at the 95th percentile, against a Portico that
 * `npm start` runs on this machine. Machines differ and are noisy: compare the rows of one run, not two runs.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    requests: { type: 'string', default: '200' },
    callers: { type: 'string', default: '1' },
  },
});
const [count, callers] = [wholeNumber(values.requests, 10_000), wholeNumber(values.callers, 100)];
const url = new URL(values.url);
if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname))
  throw new Error('a benchmark is for this machine alone');

const tenant = `bench-${randomUUID().slice(0, 8)}`;
const stateDir = process.env['PORTICO_STATE_DIR'] ?? '.portico';
const token = await signDevelopmentToken(stateDir, {
  subject: 'bench',
  tenant,
  permissions: [...permissionsOf(operations)],
  lifetimeSeconds: 3_600,
});

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`);
}

const transfer = (transferId: string) => ({ transferId, from: 'a', to: 'b', amount: { currency: 'EUR', minor: '1' } });
const grant = (userId: string) => ({ userId, name: 'Ann' });

const cases: Readonly<Record<string, (index: number) => Promise<void>>> = {
  'read an account': () => send('GET', '/v1/accounts/a'),
  'read an instance': () => send('GET', '/v1/user-grants/u-0'),
  'start, fresh': (index) => send('POST', '/v1/user-grants', grant(`u-${index}`)),
  'start, again': (index) => send('POST', '/v1/user-grants', grant(`u-${index}`)),
  'transfer to its end': (index) => send('POST', '/v1/transfers', transfer(`t-${index}`), { prefer: 'wait=20' }),
};

for (const id of ['a', 'b']) {
  await send('PUT', `/v1/accounts/${id}`, { currency: 'EUR', openingBalance: { minor: '1000000000' } });
}
await send('POST', '/v1/user-grants', grant('u-0'));
console.log(`${count} requests of each kind by ${callers} callers against ${url.origin}`);
for (const [name, run] of Object.entries(cases)) console.log(row(name, await timesOf(run)));

/** Milliseconds each request took, in ascending order. */
async function timesOf(run: (index: number) => Promise<void>): Promise<{ times: number[]; totalMs: number }> {
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
  if (!Number.isInteger(number) || number < 1 || number > max) throw new Error(`must be a whole number up to ${max}`);
  return number;
}
