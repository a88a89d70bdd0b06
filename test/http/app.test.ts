import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { appKey, jsonPost, startApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';
import { mintToken } from '../tokens/tokens.ts';

const api = await startApp();
afterAll(api.stop);

const bearer = (claims: Record<string, unknown>): string => `Bearer ${mintToken(appKey, claims)}`;

describe('a request', () => {
  it('reaches its handler with who asks', async () => {
    const { status, body } = await api.send('/v1/things/t-1');
    expect(status).toBe(200);
    expect(body).toEqual({
      params: { id: 't-1' },
      tenant: 'acme',
      actor: { iss: 'https://issuer.example', sub: 'alice' },
      permissions: ['things:read', 'things:start'],
    });
  });

  it('has the headers of an interface that nobody caches or shows', async () => {
    for (const path of ['/v1/things/t-1', '/v1/public', '/nowhere', '/v1/things/%zz', '/v1/broken']) {
      const { headers } = await api.send(path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('server')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });

  it('to a public route needs no token', async () => {
    expect(await api.send('/v1/public', { authorization: null })).toMatchObject({
      status: 200,
      body: { is: 'public' },
    });
  });

  it('of HEAD is guarded and answered as GET, without the body', async () => {
    const answered = await api.send('/v1/things/t-1', { method: 'HEAD' });
    expect(answered).toMatchObject({ status: 200, text: '' });
    expect(Number(answered.headers.get('content-length'))).toBeGreaterThan(10);
    expect((await api.send('/v1/things/t-1', { method: 'HEAD', authorization: null })).status).toBe(401);
    const forbidden = await api.send('/v1/things/t-1', { method: 'HEAD', authorization: bearer({ permissions: [] }) });
    expect(forbidden.status).toBe(403);
  });
});

describe('the request id', () => {
  it('is the one that was sent, if it is harmless', async () => {
    const { headers } = await api.send('/v1/public', { headers: { 'X-Request-Id': 'trace-7_f.A' } });
    expect(headers.get('x-request-id')).toBe('trace-7_f.A');
  });

  it.each(['two words', 'x'.repeat(65), '{"level":"fatal"}', '../..%0d%0a'])(
    'is a new one instead of %s',
    async (sent) => {
      const { headers } = await api.send('/v1/public', { headers: { 'X-Request-Id': sent } });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('what is not there', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/v1/thing'],
    ['POST', '/v1/nothing'],
    ['GET', '/v1/things/'],
    ['GET', '/v1/things/a/b'],
    ['OPTIONS', '/nowhere'],
  ])('is 404: %s %s, without a look at token or body', async (method, path) => {
    const reply = await api.send(path, {
      method,
      authorization: null,
      ...(method === 'POST' ? { body: '{', headers: { 'Content-Type': 'application/xml' } } : {}),
    });
    expect(reply).toMatchObject({ status: 404, body: { code: 'not-found', instance: path } });
  });

  it.each([
    ['DELETE', '/v1/things/t-1', 'GET, HEAD'],
    ['PUT', '/v1/things', 'GET, HEAD, POST'],
    ['HEAD', '/v1/things/t-1/poke', 'POST'],
    ['PATCH', '/v1/things/t-1/poke?a=1', 'POST'],
    ['OPTIONS', '/v1/public', 'GET, HEAD'],
    ['QUERY', '/v1/public', 'GET, HEAD'],
  ])('as a method is 405 with what is allowed: %s %s', async (method, path, allow) => {
    const { status, headers, body } = await api.send(path, { method, authorization: null });
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe(allow);
    if (method !== 'HEAD') expect(body).toMatchObject({ code: 'method-not-allowed' });
  });
});

describe('an address', () => {
  it('that is no valid encoding is 400', async () => {
    expect(await api.send('/v1/things/%zz')).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });

  it('may name an id of 512 characters, and no longer one', async () => {
    expect((await api.send(`/v1/things/${'x'.repeat(512)}`)).status).toBe(200);
    expect(await api.send(`/v1/things/${'x'.repeat(513)}`)).toMatchObject({
      status: 414,
      body: { code: 'uri-too-long' },
    });
  });

  it('with a parameter that is there twice is 400 and says which', async () => {
    expect(await api.send('/v1/things?limit=1&status=a&limit=2')).toMatchObject({
      status: 400,
      body: { code: 'invalid-request', errors: [{ parameter: 'limit', message: 'must not be repeated' }] },
    });
  });

  it('cannot reach a prototype through its query', async () => {
    const { text } = await api.send('/v1/things?__proto__=1&constructor=2');
    expect(text).toBe('{"query":{"__proto__":"1","constructor":"2"}}');
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('1');
  });
});

describe('a handler that takes too long', () => {
  it('is answered for: a read had no effect, also one of the database alone, and a start may have had one', async () => {
    expect(await api.send('/v1/slow')).toMatchObject({
      status: 504,
      body: { code: 'orchestration-timeout', retryable: true, effect: 'none' },
    });
    expect(await api.send('/v1/slow-engine')).toMatchObject({ body: { code: 'orchestration-timeout' } });
    expect(await api.send('/v1/slow-row')).toMatchObject({
      status: 503,
      body: { code: 'database-unavailable', retryable: true, effect: 'none' },
    });
    expect(await api.send('/v1/slow', jsonPost({}))).toMatchObject({
      status: 504,
      body: { code: 'outcome-unknown', retryable: true, effect: 'unknown' },
    });
  });
});

describe('the signal of a request with a body', () => {
  const signals: Promise<unknown>[] = [];
  const untilAborted = (signal: AbortSignal) =>
    new Promise<unknown>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));
  const waitForSignal = probe({
    operationId: 'waitForSignal',
    method: 'POST',
    path: '/v1/wait',
    permission: 'public',
    cost: 'start',
    body: z.unknown(),
    async handle({ signal }) {
      const aborted = untilAborted(signal);
      signals.push(aborted);
      await aborted;
      return { status: 200, body: {} };
    },
  });
  const startWaiting = (limitMs: number) => startApp({ limitMs, operations: [waitForSignal] });

  it('stays quiet after the body has arrived and aborts when the time is over', async () => {
    const other = await startWaiting(300);
    const startedAt = performance.now();
    expect((await other.send('/v1/wait', jsonPost({ a: 1 }))).status).toBe(504);
    expect(performance.now() - startedAt).toBeGreaterThan(290);
    expect(await signals.at(-1)).toMatchObject({ code: 'outcome-unknown' });
    await other.stop();
  });

  it('aborts when the caller goes away', async () => {
    const other = await startWaiting(20_000);
    const count = signals.length;
    const caller = new AbortController();
    const sent = other.send('/v1/wait', { ...jsonPost({ a: 1 }), signal: caller.signal });
    await expect.poll(() => signals.length).toBe(count + 1);
    caller.abort();
    await expect(sent).rejects.toThrow();
    expect(await signals.at(-1)).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => other.requestLines()).toMatchObject([{ status: 499, operation: 'waitForSignal' }]);
    await other.stop();
  });

  it('is aborted from the start where the caller went while its token was looked at', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const keyFor = () => released.then(() => appKey.pem);
    const seen: boolean[] = [];
    const see = probe({
      operationId: 'see',
      path: '/v1/see',
      async handle({ signal }) {
        seen.push(signal.aborted);
        return await Promise.resolve({ status: 200, body: {} });
      },
    });
    const other = await startApp({
      authentication: { keys: { keyFor, current: () => undefined, check: () => Promise.resolve() } },
      operations: [see],
    });
    const caller = new AbortController();
    const sent = other.send('/v1/see', { signal: caller.signal });
    await new Promise((resolve) => other.app.server.once('request', resolve));
    caller.abort();
    await expect(sent).rejects.toThrow();
    await expect.poll(() => other.requestLines().length).toBe(1);
    release();
    await expect.poll(() => seen).toEqual([true]);
    await other.stop();
  });
});

describe('a route', () => {
  const noop = () => ({});

  it.each([
    ['nothing', {}],
    ['no permission', { operationId: 'getX', cost: 'read' } as const],
    ['an empty permission', { operationId: 'getX', cost: 'read', permission: '' } as const],
    ['no cost', { operationId: 'getX', permission: 'x:read' } as const],
    ['no operationId', { permission: 'x:read', cost: 'read' } as const],
  ])('that declares %s stops the boot', async (_what, config) => {
    await expect(startApp({ routes: (app) => app.get('/v1/x', { config }, noop) })).rejects.toThrow(
      /^the route GET \/v1\/x declares no operationId, permission or cost$/,
    );
  });

  it('without permission stops the boot for HEAD alone too', async () => {
    await expect(startApp({ routes: (app) => app.head('/v1/x', noop) })).rejects.toThrow('the route HEAD /v1/x');
  });
});

describe('behind a proxy', () => {
  const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.9' };

  it('that is trusted, https is known and asked for from then on', async () => {
    const other = await startApp({ trustProxy: ['127.0.0.0/8'] });
    const { headers } = await other.send('/v1/public', { headers: forwarded });
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    await other.stop();
  });

  it('that nobody named, forwarded headers count for nothing', async () => {
    const { headers } = await api.send('/v1/public', { headers: forwarded });
    expect(headers.get('strict-transport-security')).toBeNull();
  });
});

describe('while it stops', () => {
  it('a draining app goes on serving and closes each connection after its answer', async () => {
    let isDraining = false;
    const other = await startApp({ isDraining: () => isDraining });
    expect((await other.send('/v1/public')).headers.get('connection')).toBe('keep-alive');
    isDraining = true;
    const reply = await other.send('/v1/public');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('connection')).toBe('close');
    await other.stop();
  });
});

it('authentication that is not configured stops the boot', async () => {
  for (const authentication of [{ issuer: '' }, { audience: '' }, { algorithms: [] }]) {
    await expect(startApp({ authentication })).rejects.toThrow('authentication is not configured');
  }
});
