import { afterAll, describe, expect, it } from 'vitest';
import { appKey, jsonPost, rawExchange, startApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';
import { claimsOf, mintToken, signToken } from '../tokens/tokens.ts';

let whenLate = Promise.resolve();
const api = await startApp({
  level: 'trace',
  limitMs: 50,
  operations: [
    probe({
      operationId: 'getLate',
      path: '/v1/late/{id}',
      permission: 'public',
      async handle({ signal }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        whenLate = new Promise((resolve) => setImmediate(resolve));
        return { status: 200, body: { late: true } };
      },
    }),
  ],
});
afterAll(api.stop);

const lineOf = async (requestId: string) =>
  await expect
    .poll(() => api.requestLines().find((line) => line['requestId'] === requestId))
    .toBeDefined()
    .then(() => api.requestLines().find((line) => line['requestId'] === requestId));

let count = 0;
const sendNamed = async (path: string, init: Parameters<typeof api.send>[1] = {}) => {
  count += 1;
  const id = `request-${count}`;
  const headers = { ...Object.fromEntries(new Headers(init.headers)), 'X-Request-Id': id };
  await api.send(path, { ...init, headers });
  return lineOf(id);
};

describe('the line of a request', () => {
  it('says who did what to which instance, how it ended and how long it took', async () => {
    expect(await sendNamed('/v1/things/t-42?secret=canary')).toEqual({
      level: 'info',
      time: expect.any(String) as unknown,
      requestId: `request-${count}`,
      method: 'GET',
      operation: 'getThing',
      process: 'things',
      instanceId: 't-42',
      status: 200,
      durationMs: expect.any(Number) as unknown,
      tenant: 'acme',
      subject: 'alice',
      issuer: 'https://issuer.example',
      msg: 'request',
    });
  });

  it('names the instance that a start made', async () => {
    expect(await sendNamed('/v1/things', jsonPost({ a: 1 }))).toMatchObject({ status: 202, instanceId: 't-1' });
  });

  it('names the problem that it ended in', async () => {
    expect(await sendNamed('/v1/problems/too-late')).toMatchObject({ status: 409, problem: 'too-late' });
    expect(await sendNamed('/v1/broken')).toMatchObject({ level: 'warn', status: 500, problem: 'internal' });
  });

  it('of a caller without a token names neither subject nor instance', async () => {
    const line = await sendNamed('/v1/things/t-42', { authorization: null });
    expect(line).toMatchObject({ status: 401, problem: 'unauthenticated', operation: 'getThing' });
    expect(line).not.toHaveProperty('instanceId');
    expect(line).not.toHaveProperty('subject');
  });

  it('is written for addresses that the router gives up on', async () => {
    expect(await sendNamed('/v1/things/%zz')).toMatchObject({ status: 400, problem: 'malformed-request' });
    expect(await sendNamed('/nowhere')).toMatchObject({ status: 404, problem: 'not-found' });
  });

  it('is written once', async () => {
    await sendNamed('/v1/public');
    expect(api.requestLines().filter((line) => line['requestId'] === `request-${count}`)).toHaveLength(1);
  });
});

describe('the log', () => {
  it('holds no token, secret, body, query or account, whatever happens', async () => {
    const before = api.log().length;
    const token = signToken({ key: appKey, payload: claimsOf({ canary: 'canary-claim' }) });
    const authorization = `Bearer ${token}`;
    const bad = `Bearer ${token.slice(0, -4)}AAAA`;
    const canaries = { 'Idempotency-Key': 'canary-key', Cookie: 'canary-cookie', 'X-Api-Key': 'canary-api-key' };
    const post = {
      ...jsonPost({ amount: { minor: 'canary-amount' } }),
      headers: { 'Content-Type': 'application/json', ...canaries },
    };
    await api.send('/v1/things', { ...post, authorization });
    await api.send('/v1/things', { ...post, authorization, body: '{"canary-body' });
    await api.send('/v1/things', { ...post, authorization: bad });
    await api.send('/v1/things?access_token=canary-query', { authorization });
    await api.send('/v1/nothing/canary-account', { authorization });
    await api.send('/v1/things/%zzcanary-account', { authorization });
    await api.send(`/v1/things/${'canary-account'.repeat(40)}`, { authorization });
    await api.send('/v1/slow', { ...post, authorization });
    expect((await api.send('/v1/late/canary-account?a=canary-query')).status).toBe(503);
    await whenLate;
    await rawExchange(api.port, [`canary-method / HTTP/1.1\r\nAuthorization: ${authorization}\r\n\r\n`]);
    const log = api.log().slice(before);
    expect(log.split('\n').length).toBeGreaterThan(9);
    expect(log).not.toContain(token.slice(-20));
    expect(log).not.toContain('canary');
    expect(await api.metrics.text()).not.toContain('canary');
  });

  it('cannot be forged by a subject, an id or a header with line breaks', async () => {
    const authorization = `Bearer ${mintToken(appKey, { sub: 'a\u2028{"level":"fatal"}' })}`;
    await api.send('/v1/things/x%0d%0a%7B%22level%22%3A%22fatal%22%7D', { authorization });
    await api.send('/v1/public', { headers: { 'X-Request-Id': '{"level":"fatal"}' } });
    for (const line of api.log().trimEnd().split('\n')) {
      expect(JSON.parse(line)).not.toMatchObject({ level: 'fatal' });
    }
  });
});

describe('the metrics', () => {
  it('count requests by template, and those that never became one', async () => {
    await sendNamed('/v1/things/first');
    await sendNamed('/v1/things/second');
    await sendNamed('/nowhere/else');
    await rawExchange(api.port, ['nonsense\r\n\r\n']);
    await sendNamed('/nowhere/else', { method: 'PURGE' });
    const text = await api.metrics.text();
    expect(text).toMatch(/_count\{method="GET",route="\/v1\/things\/\{id\}",status="200"\} [2-9]/);
    expect(text).toMatch(/_count\{method="GET",route="none",status="404"\} [1-9]/);
    expect(text).toMatch(/_count\{method="none",route="none",status="400"\} [1-9]/);
    expect(text).toMatch(/_count\{method="other",route="none",status="404"\} 1/);
    expect(text).not.toMatch(/route="[^"]*(first|second|else)"/);
  });
});
