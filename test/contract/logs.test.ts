import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawExchange } from '../harness/app.ts';
import type { Reply } from '../harness/caller.ts';
import { type Portico, startApi, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { startSilentServer } from '../servers/silent.ts';

let portico: Portico;
/** Neither Temporal nor the database answers, and both were given secrets. */
let ignored: Portico;
let silent: Awaited<ReturnType<typeof startSilentServer>>;
const lines: string[] = [];

/** What nobody may ever read in a log, by what it stands for. */
const canary = {
  claim: 'canary-claim',
  secret: 'canary-secret-of-more-than-32-bytes',
  cursorSecret: 'canary-cursor-secret-of-more-than-32-bytes',
  password: 'canary-password',
  apiKey: 'canary-api-key',
  account: 'canary-account',
  amount: '73918462',
  reference: 'canary-reference',
  name: 'canary-name',
  note: 'canary-note',
  idempotencyKey: 'canary-idempotency-key',
  header: 'canary-header',
  query: 'canary-query',
  body: 'canary-body',
  path: 'canary-path',
};

beforeAll(async () => {
  silent = await startSilentServer();
  const environment = { LOG_LEVEL: 'trace' };
  [portico, ignored] = await Promise.all([
    startPortico({
      logLines: lines,
      environment: { ...environment, PORTICO_TRANSFERS_APPROVAL_LIMITS: `EUR:${canary.amount}` },
    }),
    startApi({
      logLines: lines,
      environment: {
        ...environment,
        // Not by number: with an API key the connection is TLS.
        TEMPORAL_ADDRESS: silent.address.replace('127.0.0.1', 'localhost'),
        TEMPORAL_API_KEY: canary.apiKey,
        DATABASE_URL: `postgres://portico:${canary.password}@${silent.address}/portico`,
        PORTICO_JWT_SECRET: canary.secret,
        PORTICO_CURSOR_SECRET: canary.cursorSecret,
        PORTICO_START_DEADLINE: '200ms',
        PORTICO_READ_DEADLINE: '200ms',
      },
    }),
  ]);
  await portico.untilReady();
});
afterAll(async () => {
  await Promise.all([portico.stop(), ignored.stop()]);
  await silent.close();
});

type Line = Readonly<Record<string, unknown>>;

const parsed = (): Line[] => lines.map((line) => JSON.parse(line) as Line);

/** The lines of the request with that id, as soon as there is one. */
const linesOf = (requestId: string): Promise<Line[]> =>
  until(
    () => Promise.resolve(parsed().filter((line) => line['msg'] === 'request' && line['requestId'] === requestId)),
    ({ length }) => length > 0,
  );

/** Sends a request under an id of its own and gives its one line in the log. */
async function lineFor(send: (headers: Record<string, string>) => Promise<Reply>): Promise<Line> {
  const requestId = unique('request');
  await send({ 'x-request-id': requestId });
  const [line, ...others] = await linesOf(requestId);
  expect(others).toEqual([]);
  return line ?? {};
}

const account = { currency: 'EUR', openingBalance: { minor: canary.amount } };

const transferOf = (other: object = {}) => ({
  transferId: unique('transfer'),
  from: canary.account,
  to: 'payee',
  amount: { currency: 'EUR', minor: canary.amount },
  reference: canary.reference,
  requestedBy: 'carol',
  ...other,
});

describe('the line of a request', () => {
  const who = { tenant: expect.any(String) as string, subject: 'alice' };

  it('names the operation, who asked, and the instance, however it ended', async () => {
    const userId = unique('user');
    const post = (body: object, headers: object) => portico.post('/v1/user-grants', body, { headers: { ...headers } });
    const grant = {
      ...who,
      method: 'POST',
      operation: 'startUserGrant',
      process: 'user-grants',
      instanceId: userId,
    };
    const created = await lineFor((headers) => post({ userId, name: canary.name }, headers));
    expect(created).toMatchObject({ ...grant, level: 'info', status: 202, tenant: portico.tenant });
    const mismatch = await lineFor((headers) => post({ userId, name: 'other' }, headers));
    expect(mismatch).toMatchObject({ ...grant, status: 422, problem: 'idempotency-mismatch' });
    const read = await lineFor((headers) => portico.get(`/v1/user-grants/${userId}`, { headers, subject: 'bob' }));
    expect(read).toMatchObject({ operation: 'getUserGrant', instanceId: userId, subject: 'bob', status: 200 });
    const unsent = await lineFor((headers) => ignored.post('/v1/user-grants', { userId, name: 'x' }, { headers }));
    expect(unsent).toMatchObject({ ...grant, level: 'warn', status: 503, problem: 'orchestration-unavailable' });
    expect(created['durationMs']).toEqual(expect.any(Number));
  });

  it('is one for each, also for what no operation serves', async () => {
    const opened = await lineFor((headers) => portico.put(`/v1/accounts/${canary.account}`, account, { headers }));
    expect(opened).toMatchObject({ ...who, operation: 'putAccount', status: 201 });
    const missing = await lineFor((headers) => portico.get(`/v1/${canary.path}`, { headers }));
    expect(missing).toMatchObject({ method: 'GET', status: 404, problem: 'not-found' });
    const nobody = await lineFor((headers) => portico.get('/v1/transfers', { headers, token: null }));
    expect(nobody).toMatchObject({ operation: 'listTransfers', status: 401 });
    expect([nobody['subject'], nobody['tenant']]).toEqual([undefined, undefined]);
  });

  it('gets an id of its own unless the one sent is harmless', async () => {
    const sent = ['two words', 'a"b', '{"level":"fatal"}', 'x'.repeat(65), 'ä'];
    for (const id of sent) {
      const { headers } = await portico.get('/nowhere', { headers: { 'x-request-id': id } });
      const own = headers.get('x-request-id') ?? '';
      expect(own).toMatch(/^[0-9a-f-]{36}$/);
      expect(await linesOf(own)).toHaveLength(1);
    }
  });
});

/** Asks for about everything, with a canary wherever a caller can put one; gives every answer. */
async function everything(): Promise<Reply[]> {
  const wait = { headers: { prefer: 'wait=20', 'x-canary': canary.header, cookie: canary.header } };
  const keyed = { ...wait, headers: { ...wait.headers, 'idempotency-key': canary.idempotencyKey } };
  const token = await portico.tokenFor({ claims: { canary: canary.claim } });
  await portico.put(`/v1/accounts/${canary.account}`, account);
  await portico.put('/v1/accounts/payee', { currency: 'EUR', openingBalance: { minor: '0' } });
  const transfer = transferOf();
  const big = transferOf({ amount: { currency: 'EUR', minor: `${canary.amount}0` } });
  const grant = { userId: unique('user'), name: canary.name };
  await portico.post('/v1/transfers', big);
  await until(
    () => portico.get(`/v1/transfers/${big.transferId}`),
    ({ body }) => body.step === 'awaiting-approval',
  );
  const path = `/v1/transfers/${big.transferId}`;
  return [
    await portico.post('/v1/transfers', transfer, { ...wait, token }),
    await portico.post('/v1/transfers', { ...transfer, reference: `${canary.reference} 2` }, wait),
    await portico.post('/v1/transfers', transferOf({ to: `${canary.account}-absent` }), wait),
    await portico.post('/v1/transfers', transferOf(), keyed),
    await portico.post(`${path}/reject`, { note: canary.note }, keyed),
    await portico.post(`${path}/reject`, { note: canary.note }, { ...keyed, subject: 'bob' }),
    await portico.post(`${path}/reject`, { note: `${canary.note} 2` }, { ...keyed, subject: 'bob' }),
    await portico.post(`${path}/resolve`, { how: 'settle', note: canary.note }, keyed),
    await portico.post(`${path}/cancel`, {}, { headers: { 'idempotency-key': `${canary.idempotencyKey} bad` } }),
    await portico.post('/v1/user-grants', grant, wait),
    await portico.post('/v1/user-grants', { ...grant, birthDate: canary.body, locale: canary.body }, wait),
    await portico.post('/v1/transfers', transferOf({ amount: { currency: canary.body, minor: canary.body } })),
    await portico.post('/v1/transfers', transferOf({ from: `~${canary.body}`, transferId: `${canary.body}/` })),
    await portico.post('/v1/transfers', `{"transferId":"${canary.body}`),
    await portico.post('/v1/transfers', `{"reference":"${canary.body}","reference":"${canary.body}"}`),
    await portico.post('/v1/transfers', `"${canary.body}${'x'.repeat(70_000)}"`),
    await portico.post('/v1/transfers', canary.body, { headers: { 'content-type': `text/${canary.header}` } }),
    await portico.get(`/v1/transfers?from=${canary.account}&to=${canary.account}`),
    await portico.get(`/v1/transfers?status=${canary.query}&startedAfter=${canary.query}&cursor=${canary.query}`),
    await portico.get(`/v1/transfers?cursor=${canary.query}.${canary.query}`),
    await portico.get(`/v1/users/${grant.userId}/inbox?cursor=${canary.query}`),
    await portico.get('/v1/transfers', { token: `${canary.claim}.${token.slice(5)}` }),
    await portico.get('/v1/transfers', { token: `${token}${canary.claim}` }),
    await portico.get('/v1/transfers', { permissions: [canary.claim] }),
    await portico.get(`/nowhere?access_token=${token}`, { token: null }),
    await portico.get(`/v1/transfers?access_token=${token}`),
    await portico.get(`/v1/accounts/${canary.account}`),
    await portico.get(`/v1/accounts/${canary.account}-absent`),
    ...(await Promise.all([
      ignored.post('/v1/transfers', transfer, wait),
      ignored.post('/v1/transfers/x/reject', { note: canary.note }, keyed),
      ignored.get(`/v1/transfers?from=${canary.account}`),
      ignored.get(`/v1/accounts/${canary.account}`),
      ignored.put(`/v1/accounts/${canary.account}`, account),
      ignored.get('/v1/users/x/inbox'),
    ])),
  ];
}

describe('a secret', () => {
  it('is in no line of the log, no metric and no problem', async () => {
    const answers = await everything();
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 400, 401, 403, 404, 409, 413, 415, 422, 503, 504]);
    const canaries = [...Object.values(canary), 'eyJ', 'Bearer'];

    const problems = answers.filter(({ status }) => status >= 400);
    expect(problems.length).toBeGreaterThan(20);
    // The path is the caller's own and stands in `instance`.
    const bodies = problems.map(({ body }) => JSON.stringify({ ...body, instance: undefined }));
    for (const body of bodies) expect(canaries.filter((each) => body.includes(each))).toEqual([]);

    const metrics = await Promise.all([portico, ignored].map((each) => each.admin('/metrics')));
    for (const { text } of metrics) expect(canaries.filter((each) => text.includes(each))).toEqual([]);

    expect(lines.length).toBeGreaterThan(60);
    expect(lines.filter((line) => canaries.some((each) => line.includes(each)))).toEqual([]);
  });
});

describe('a line', () => {
  it('cannot be forged by what stands in a request', async () => {
    const port = Number(new URL(portico.url ?? '').port);
    const forged = '{"level":"fatal","msg":"forged"}';
    const close = 'Host: x\r\nConnection: close';
    const before = lines.length;
    const requests = [
      `GET /v1/transfers/%0d%0a${encodeURIComponent(forged)} HTTP/1.1\r\n${close}\r\n\r\n`,
      `GET /%0a${encodeURIComponent(forged)}%E2%80%A8 HTTP/1.1\r\n${close}\r\n\r\n`,
      `GET /nowhere HTTP/1.1\r\n${close}\r\nX-Request-Id: a\n${forged}\r\n\r\n`,
      `GET /nowhere HTTP/1.1\r\n${close}\r\nX-Request-Id: a\r\n ${forged}\r\n\r\n`,
      `GET /nowhere HTTP/1.1\r\n${close}\r\nX-Request-Id: a\r${forged}\r\n\r\n`,
      `GET /nowhere HTTP/1.1\r\n${close}\r\nUser-Agent: ${forged}\r\n\r\n`,
      `GET /nowhere\n${forged} HTTP/1.1\r\n${close}\r\n\r\n`,
      `${forged}\n${forged}\n\n`,
    ];
    for (const request of requests) await rawExchange(port, [request]);
    const subjects = [`a"}\\n${forged}`, `\u2028${forged}`, '\\', '"', 'ann\\r\\n', '💥'];
    for (const subject of subjects) {
      const line = await lineFor((headers) => portico.get('/v1/transfers', { subject, headers }));
      expect(line['subject']).toBe(subject);
    }
    for (const subject of ['a\nb', 'a\rb', '\u0000', '\u001b[2J']) {
      expect((await portico.get('/v1/transfers', { subject })).status).toBe(401);
    }
    const written = lines.slice(before);
    expect(written.length).toBeGreaterThanOrEqual(requests.length + subjects.length);
    for (const line of written) {
      expect(line.indexOf('\n')).toBe(line.length - 1);
      const { level, msg, time } = JSON.parse(line) as Line;
      expect(['info', 'warn', 'debug', 'trace']).toContain(level);
      expect(msg).not.toBe('forged');
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    }
  });
});
