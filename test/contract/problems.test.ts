import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { problemsFile, readExamples } from '../../scripts/examples.ts';
import type { ProcessDefinition } from '../../src/definition/definition.ts';
import { problems } from '../../src/problem-table.ts';
import { type ProblemCode, problemMediaType } from '../../src/problems.ts';
import { isRecording, recordThem, writeExamples } from '../fixtures/examples/keeping.ts';
import { shownProblem } from '../fixtures/examples/shown-problem.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { layFreezing, settledTransfer } from '../fixtures/stuck-transfers.ts';
import { waitingTransfer, withKey } from '../fixtures/transfers.ts';
import { parseResponse, rawExchange } from '../harness/app.ts';
import type { Reply } from '../harness/caller.ts';
import { type Portico, startApi, startPortico, unique } from '../harness/portico.ts';
import { checkProblem } from '../harness/problem-answers.ts';
import { startFrameServer } from '../servers/frame-server.ts';
import { type JwksServer, startJwksServer } from '../servers/jwks.ts';
import { startSilentServer } from '../servers/silent.ts';
import { createSigningKey, mintToken } from '../tokens/tokens.ts';

/** Promises a result that its workflow does not give: the one fault of ours that can be had for the asking. */
const faultyV1: ProcessDefinition = {
  ...probesV1,
  name: 'faulty',
  collection: 'faulty',
  singular: 'faulty',
  output: z.discriminatedUnion('outcome', [z.object({ outcome: z.literal('completed'), promised: z.string() })]),
  implementations: [],
};

const stateDir = mkdtempSync(join(tmpdir(), 'portico-problems-'));
let portico: Portico;
/** Neither Temporal nor a database is there, and a subject may ask for one list a second. */
let alone: Portico;
/** Temporal accepts connections and never answers; so does the database. */
let ignored: Portico;
let crowded: Portico;
let pressed: Portico;
let keyless: Portico;
/** Has no key ring. */
let ringless: Portico;
let silent: Awaited<ReturnType<typeof startSilentServer>>;
/** A Temporal that takes requests and never answers. */
let mute: Awaited<ReturnType<typeof startFrameServer>>;
let jwks: JwksServer;

beforeAll(async () => {
  [silent, mute, jwks] = await Promise.all([startSilentServer(), startFrameServer(() => undefined), startJwksServer()]);
  jwks.mode = 'down';
  await layFreezing(stateDir);
  [portico, alone, ignored, crowded, pressed, keyless, ringless] = await Promise.all([
    startPortico({ stateDir, definitions: [faultyV1], environment: { PORTICO_ENDPOINTS_LIMIT: '1' } }),
    startApi({ environment: { PORTICO_RATE_LIMIT_LISTS: '1' } }),
    startApi({
      environment: {
        TEMPORAL_ADDRESS: mute.address,
        DATABASE_URL: `postgres://portico@${silent.address}/portico`,
        PORTICO_START_DEADLINE: '300ms',
        PORTICO_READ_DEADLINE: '300ms',
      },
    }),
    startApi({ environment: { PORTICO_RATE_LIMIT_ADDRESS: '1' } }),
    startApi({ environment: { PORTICO_MAX_RSS_MB: '1' } }),
    startApi({ environment: { PORTICO_JWT_SECRET: '', PORTICO_JWT_JWKS_URL: jwks.url } }),
    startPortico({ environment: { ROLE: 'api', PORTICO_ENDPOINTS_KEYS: '' } }),
  ]);
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(async () => {
  await Promise.all([portico, alone, ignored, crowded, pressed, keyless, ringless].map((each) => each.stop()));
  mute.stop();
  await Promise.all([silent.close(), jwks.close()]);
  rmSync(stateDir, { recursive: true, force: true });
});

/** Sends these bytes and takes what comes back until the connection is closed. */
async function sendRaw(...parts: Parameters<typeof rawExchange>[1]): Promise<Reply> {
  const { text } = await rawExchange(Number(new URL(portico.url ?? '').port), parts);
  return parseResponse(text);
}

const transfer = { transferId: 'x', from: 'payer', to: 'payee', amount: { currency: 'EUR', minor: '1' } };

let suspended: ReturnType<typeof settledTransfer> | undefined;
/** One settled transfer for all that ask. */
const settled = () => (suspended ??= settledTransfer(portico));

async function releaseRefused(body: { to: string; note: string }): Promise<[Reply, string][]> {
  const path = `/v1/suspense/${(await settled()).transferId}/release`;
  return one(path, portico.post(path, body));
}

/** A problem of one item as it would come alone: an item has no headers. */
function problemOfItem({ headers, body }: Reply, index: number): Reply {
  const item = (body as { status: number; retryAfterMs: number; body: unknown }[])[index];
  if (item === undefined) throw new Error(`there is no answer ${index}`);
  const own = new Headers(headers);
  own.set('content-type', problemMediaType);
  own.set('retry-after', String(item.retryAfterMs / 1_000));
  return { status: item.status, headers: own, body: item.body };
}

/** Requests at once where ten are let through, and one more in each second that a slow machine takes for them. */
const manyMore = Array.from({ length: 60 });

/** The answer that is a problem, and the path it was asked for. */
type Case = () => Promise<[answer: Reply, path: string][]>;

const one = async (path: string, answer: Promise<Reply> | Reply): Promise<[Reply, string][]> => [[await answer, path]];

const cases: Record<ProblemCode, Case> = {
  'malformed-request': async () => [
    [await portico.post('/v1/transfers', '{"transferId": '), '/v1/transfers'],
    [await sendRaw('BLAH\r\n\r\n'), '/'],
    [await sendRaw('GET /v1/transfers HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n'), '/'],
    [await sendRaw('GET /v1/transfers/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), '/v1/transfers/%zz'],
  ],
  'invalid-request': async () => [
    [await portico.post('/v1/transfers', { ...transfer, amount: 5, surprise: 1 }), '/v1/transfers'],
    [await portico.get('/v1/transfers?limit=0'), '/v1/transfers'],
    [await portico.get('/v1/transfers/a%2Fb'), '/v1/transfers/a%2Fb'],
    [await portico.put('/v1/accounts/x', { currency: 'EUR', openingBalance: { minor: 5 } }), '/v1/accounts/x'],
  ],
  'invalid-key': async () => [
    [await portico.post('/v1/transfers', transfer, { headers: { 'idempotency-key': 'k' } }), '/v1/transfers'],
    [await portico.post('/v1/transfers/x/resolve', { how: 'retry' }), '/v1/transfers/x/resolve'],
  ],
  'invalid-cursor': () => one('/v1/transfers', portico.get('/v1/transfers?cursor=AAAA.BBBB')),
  unauthenticated: async () => [
    [await portico.get('/v1/transfers/x', { token: null }), '/v1/transfers/x'],
    [await portico.get('/v1/transfers/x', { token: 'not-a-token' }), '/v1/transfers/x'],
  ],
  forbidden: () => one('/v1/accounts/x', portico.get('/v1/accounts/x', { permissions: ['transfers:read'] })),
  'second-person-required': async () => {
    const path = `/v1/transfers/${await waitingTransfer(portico)}/approve`;
    return one(path, portico.post(path, {}));
  },
  'not-found': async () => [
    [await portico.get('/v1/transfers/absent'), '/v1/transfers/absent'],
    [await portico.get('/v1/accounts/absent'), '/v1/accounts/absent'],
    [await portico.post('/v1/transfers/absent/cancel', {}), '/v1/transfers/absent/cancel'],
    [await portico.get('/nowhere'), '/nowhere'],
  ],
  'method-not-allowed': async () => {
    const answer = await portico.request('DELETE', '/v1/transfers');
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST');
    return one('/v1/transfers', answer);
  },
  'precondition-failed': async () => {
    const asked = { spec: { cron: ['@yearly'] }, action: { process: 'user-grants', input: { name: 'Ada' } } };
    await portico.post('/v1/schedules', { name: 'stale', ...asked });
    const stale = { headers: { 'if-match': '"stale"' } };
    return one('/v1/schedules/stale', portico.put('/v1/schedules/stale', asked, stale));
  },
  'request-timeout': async () => {
    const head = `POST /v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n`;
    const authorization = `Authorization: Bearer ${await portico.tokenFor()}\r\n\r\n`;
    const [inHeaders, inBody] = await Promise.all([sendRaw(head), sendRaw(`${head}${authorization}{`)]);
    return [
      [inHeaders, '/'],
      [inBody, '/v1/transfers'],
    ];
  },
  'action-not-allowed': async () => {
    const path = `/v1/transfers/${await waitingTransfer(portico)}/resolve`;
    return one(path, portico.post(path, { how: 'retry' }, withKey()));
  },
  'too-late': async () => {
    const transferId = unique('transfer');
    await portico.post('/v1/transfers', { ...transfer, transferId }, { headers: { prefer: 'wait=20' } });
    return one(`/v1/transfers/${transferId}/cancel`, portico.post(`/v1/transfers/${transferId}/cancel`, {}));
  },
  'account-conflict': () =>
    one('/v1/accounts/payer', portico.put('/v1/accounts/payer', { currency: 'USD', openingBalance: { minor: '0' } })),
  'endpoint-conflict': async () => {
    const path = `/v1/endpoints/${unique('endpoint')}`;
    const tenant = unique('other');
    await portico.put(path, { url: 'http://127.0.0.1:1/a' }, { tenant });
    return one(path, portico.put(path, { url: 'http://127.0.0.1:1/b' }, { tenant }));
  },
  'account-unknown': async () => releaseRefused({ to: 'absent', note: 'paid by hand' }),
  'account-frozen': async () => {
    // An account of its own: the tests run side by side.
    const to = unique('frozen');
    await portico.openAccounts(to);
    await portico.post(`/v1/accounts/${to}/freeze`, undefined);
    return releaseRefused({ to, note: 'paid by hand' });
  },
  'currency-differs': async () => {
    const to = unique('dollars');
    await portico.put(`/v1/accounts/${to}`, { currency: 'USD', openingBalance: { minor: '0' } });
    return releaseRefused({ to, note: 'paid by hand' });
  },
  'release-conflict': async () => {
    const { from, transferId } = await settledTransfer(portico);
    await portico.post(`/v1/accounts/${from}/unfreeze`, undefined);
    const path = `/v1/suspense/${transferId}/release`;
    await portico.post(path, { to: from, note: 'paid by hand' });
    return one(path, portico.post(path, { to: from, note: 'another note' }));
  },
  'body-too-large': () =>
    one('/v1/transfers', portico.post('/v1/transfers', { ...transfer, reference: 'x'.repeat(70_000) })),
  'uri-too-long': async () => {
    const path = `/v1/transfers/${'x'.repeat(600)}`;
    return one(path, portico.get(path));
  },
  'unsupported-media-type': async () => {
    const headers = { 'content-type': 'text/plain' };
    return [
      [await portico.post('/v1/transfers', 'hello', { headers }), '/v1/transfers'],
      [await portico.post('/v1/accounts/payer/unfreeze', 'hello', { headers }), '/v1/accounts/payer/unfreeze'],
      [await portico.post('/v1/transfers', transfer, { headers: { 'content-encoding': 'gzip' } }), '/v1/transfers'],
    ];
  },
  'unknown-event-type': async () => {
    const event = { specversion: '1.0', id: '1', source: '/a', type: 'portico.user.deleted', data: {} };
    const headers = { 'content-type': 'application/cloudevents+json' };
    return one('/v1/events', portico.post('/v1/events', event, { headers }));
  },
  'idempotency-mismatch': async () => {
    const userId = unique('user');
    await portico.post('/v1/user-grants', { userId, name: 'Ann' });
    return one('/v1/user-grants', portico.post('/v1/user-grants', { userId, name: 'Bob' }));
  },
  'not-configured': () => one('/v1/endpoints/x', ringless.put('/v1/endpoints/x', { url: 'http://127.0.0.1:1/' })),
  'target-not-allowed': () =>
    one('/v1/endpoints/y', portico.put('/v1/endpoints/y', { url: 'http://169.254.169.254/' })),
  'limit-reached': async () => {
    const tenant = unique('full');
    await portico.put('/v1/endpoints/first', { url: 'http://127.0.0.1:1/' }, { tenant });
    return one('/v1/endpoints/second', portico.put('/v1/endpoints/second', { url: 'http://127.0.0.1:1/' }, { tenant }));
  },
  'rate-limited': async () => {
    const bySubject = await Promise.all(manyMore.map(() => alone.get('/v1/transfers')));
    const byAddress = await Promise.all(manyMore.map(() => crowded.get('/v1/accounts/x')));
    const refused = [bySubject, byAddress].map((answers) => answers.filter(({ status }) => status === 429));
    for (const { length } of refused) {
      expect(length).toBeGreaterThanOrEqual(1);
      expect(length).toBeLessThanOrEqual(manyMore.length - 10);
    }
    return refused.flatMap((answers, index) =>
      answers.map((answer): [Reply, string] => [answer, index === 0 ? '/v1/transfers' : '/v1/accounts/x']),
    );
  },
  'headers-too-large': () => one('/', sendRaw(`GET / HTTP/1.1\r\nHost: x\r\nX-Much: ${'x'.repeat(20_000)}\r\n\r\n`)),
  internal: () =>
    one(
      '/v1/faulty',
      portico.post('/v1/faulty', { probeId: unique('probe'), mode: 'finish' }, { headers: { prefer: 'wait=20' } }),
    ),
  'action-failed': async () => {
    const probeId = unique('probe');
    await portico.post('/v1/probes', { probeId });
    return one(`/v1/probes/${probeId}/snap`, portico.post(`/v1/probes/${probeId}/snap`, {}));
  },
  overloaded: () => one('/v1/accounts/x', pressed.get('/v1/accounts/x')),
  'held-back': async () => {
    const { transferId } = transfer;
    const cancel = { operation: 'cancelTransfer', id: transferId };
    const sent = await alone.post('/v1/batch', [{ operation: 'startTransfer', body: transfer }, cancel]);
    return one(`/v1/transfers/${transferId}/cancel`, problemOfItem(sent, 1));
  },
  'orchestration-unavailable': async () => [
    [await alone.get('/v1/transfers/x'), '/v1/transfers/x'],
    [await alone.post('/v1/schedules/x/pause', {}), '/v1/schedules/x/pause'],
    [await alone.post('/v1/transfers', transfer), '/v1/transfers'],
    [await alone.post('/v1/transfers/x/cancel', {}), '/v1/transfers/x/cancel'],
  ],
  'database-unavailable': async () => [
    [await alone.get('/v1/accounts/x'), '/v1/accounts/x'],
    [await alone.put('/v1/accounts/x', { currency: 'EUR', openingBalance: { minor: '5' } }), '/v1/accounts/x'],
    [await alone.get('/v1/users/x/inbox'), '/v1/users/x/inbox'],
    [await ignored.get('/v1/accounts/x'), '/v1/accounts/x'],
  ],
  'keys-unavailable': async () => {
    const token = mintToken(createSigningKey('ES256'), { permissions: ['accounts:read'] });
    return one('/v1/accounts/x', keyless.get('/v1/accounts/x', { token }));
  },
  'orchestration-timeout': async () => [
    [await ignored.get('/v1/transfers/x'), '/v1/transfers/x'],
    [await ignored.get('/v1/transfers/x/result'), '/v1/transfers/x/result'],
    [await ignored.get('/v1/user-grants'), '/v1/user-grants'],
    [await ignored.get('/v1/schedules/x'), '/v1/schedules/x'],
    [await ignored.get('/v1/schedules'), '/v1/schedules'],
  ],
  'outcome-unknown': async () => [
    [await ignored.post('/v1/transfers', transfer), '/v1/transfers'],
    [await ignored.post('/v1/transfers/x/approve', {}), '/v1/transfers/x/approve'],
  ],
};

const { problems: examples } = readExamples();

describe.concurrent('each problem of the table', () => {
  const shown = new Map<ProblemCode, unknown>();
  afterAll(() => {
    if (isRecording && shown.size === Object.keys(problems).length) writeExamples(problemsFile, shown);
  });

  it.each(Object.keys(problems) as ProblemCode[])('%s comes over the wire with its verdict', async (code) => {
    expect(cases[code], `a case that produces ${code}`).toBeDefined();
    const answers = await cases[code]();
    for (const [answer, path] of answers) checkProblem(answer, code, path);
    shown.set(code, shownProblem(code, answers[0]?.[0].body));
    if (!isRecording) expect(shown.get(code), recordThem).toEqual(examples[code]);
  });
});

describe('a problem', () => {
  it('points to what is wrong in a body and names what is wrong in a query', async () => {
    const body = await portico.post('/v1/transfers', { ...transfer, amount: { currency: 'euro' }, surprise: 1 });
    expect(body.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/amount/currency',
      '/amount/minor',
      '/surprise',
    ]);
    const query = await portico.get('/v1/transfers?limit=0&sort=id');
    expect(query.body.errors.map(({ parameter }: { parameter: string }) => parameter).sort()).toEqual([
      'limit',
      'sort',
    ]);
  });

  it('that a limit is the reason for says how long to wait', async () => {
    const subject = unique('greedy');
    const answers = await Promise.all(manyMore.map(() => alone.get('/v1/transfers', { subject })));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body.retryAfterMs).toBeGreaterThan(0);
    expect(refused?.body.retryAfterMs).toBeLessThanOrEqual(10_000);
    expect(refused?.headers.get('ratelimit-limit')).toBe('10');
  });

  it('comes within the deadline while nothing behind answers', async () => {
    const startedAtMs = performance.now();
    await Promise.all([
      ignored.get('/v1/transfers/y'),
      ignored.post('/v1/transfers', { ...transfer, transferId: 'y' }, { headers: { prefer: 'wait=20' } }),
      ignored.post('/v1/transfers/y/cancel', {}),
    ]);
    // Three deadlines of 300 ms; without them there would be no answer at all, or one after 20 seconds.
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });
});

it('docs/http.md lists every problem and no other, as the table has it', () => {
  const document = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8');
  const table = /<!-- problems -->([^]*)<!-- \/problems -->/.exec(document)?.[1] ?? '';
  const rows = table.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    return /^`[a-z-]+`$/.test(cells[2] ?? '') ? [cells.slice(1, -1)] : [];
  });
  const expected = Object.entries(problems).map(([code, { status, title, retryable, effect }]) => [
    String(status),
    `\`${code}\``,
    title,
    retryable ? 'yes' : 'no',
    effect,
  ]);
  expect(rows).toEqual(expected);
  const mentioned = [...document.matchAll(/\*\*?[45]\d\d\*?\*? `([a-z-]+)`/g)].map(([, code]) => code ?? '');
  expect(mentioned.length).toBeGreaterThan(2);
  expect(mentioned.filter((code) => !(code in problems))).toEqual([]);
});
