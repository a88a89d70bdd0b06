import { afterAll, describe, expect, it } from 'vitest';
import { appKey, jsonPost, parseResponse, rawExchange, startApp } from '../harness/app.ts';
import { mintToken } from '../tokens/tokens.ts';

const origin = 'https://app.example.com';
const local = 'http://localhost:3000';
const limits = { address: 0, refusals: 0, start: 0, action: 1, read: 0, list: 0 };
const api = await startApp({ corsOrigins: [origin, local], rateLimits: limits });
const closed = await startApp();
afterAll(() => Promise.all([api.stop(), closed.stop()]));

const asked = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,prefer' };
const preflight = (path: string, headers: Record<string, string>, app = api) =>
  app.send(path, { method: 'OPTIONS', authorization: null, headers });
const crossOriginFields = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control'));
const wordsOf = (field: string | null) => field?.toLowerCase().split(', ') ?? [];

describe('a preflight of an allowed origin', () => {
  it.each(['/v1/things', '/v1/things/t-1', '/v1/nowhere', '/'])('needs no token: %s', async (path) => {
    const { status, headers, text } = await preflight(path, { Origin: origin, ...asked });
    expect([status, text]).toEqual([204, '']);
    expect(headers.get('access-control-allow-origin')).toBe(origin);
    expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE');
    expect(headers.get('vary')).toBe('Origin');
    expect(Number(headers.get('access-control-max-age'))).toBeGreaterThan(0);
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('names every header that a request may carry, one by one', async () => {
    const { headers } = await preflight('/v1/things', { Origin: local, ...asked });
    const named = wordsOf(headers.get('access-control-allow-headers'));
    const carried = ['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'prefer'];
    expect(named).toEqual(
      expect.arrayContaining([...carried, 'last-event-id', 'traceparent', 'x-request-id', 'ce-id']),
    );
    // A wildcard does not stand for Authorization (Fetch standard, 4.8).
    expect(named).not.toContain('*');
  });

  it('is counted by its name, as any request', async () => {
    await preflight('/v1/things', { Origin: origin, ...asked });
    expect(api.requestLines().at(-1)).toMatchObject({ method: 'OPTIONS', operation: 'preflight', status: 204 });
  });
});

describe('a request of an allowed origin', () => {
  it.each([origin, local])('may be read, with what its headers say: %s', async (from) => {
    const { status, headers } = await api.send('/v1/things/t-1', { headers: { Origin: from } });
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(from);
    expect(headers.get('vary')).toBe('Origin');
    expect(wordsOf(headers.get('access-control-expose-headers'))).toEqual(
      expect.arrayContaining(['location', 'idempotency-status', 'retry-after', 'preference-applied', 'etag']),
    );
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  const mayRead = (headers: Headers) => expect(headers.get('access-control-allow-origin')).toBe(origin);

  it.each<[number, string, Parameters<typeof api.send>[1]]>([
    [400, '/v1/things', jsonPost('{')],
    [400, '/v1/%zz', {}],
    [401, '/v1/things/t-1', { authorization: null }],
    [403, '/v1/things/t-1', { authorization: `Bearer ${mintToken(appKey, { permissions: [] })}` }],
    [404, '/v1/nowhere', {}],
    [405, '/v1/things/t-1', { method: 'DELETE' }],
    [413, '/v1/things', jsonPost({ a: 'x'.repeat(9_000) })],
    [500, '/v1/broken', {}],
  ])('may be read where it ends in a problem: %i %s', async (status, path, init) => {
    const answer = await api.send(path, {
      ...init,
      headers: { ...Object(init?.headers), Origin: origin } as Record<string, string>,
    });
    expect(answer.status).toBe(status);
    mayRead(answer.headers);
  });

  it('may be read where there were too many', async () => {
    const authorization = `Bearer ${mintToken(appKey, { permissions: ['things:poke'] })}`;
    const poke = () => api.send('/v1/things/t-1/poke', { method: 'POST', authorization, headers: { Origin: origin } });
    const answers = await Promise.all(Array.from({ length: 11 }, poke));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(1);
    for (const { headers } of answers) mayRead(headers);
  });

  it('may be read where its body breaks off', async () => {
    const head = `POST /v1/things HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nAuthorization: Bearer ${mintToken(appKey)}\r\n`;
    const body = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n';
    const { text } = await rawExchange(api.port, [head + body]);
    const answer = parseResponse(text);
    expect(answer.status).toBe(400);
    mayRead(answer.headers);
  });
});

describe('any other origin', () => {
  const others = [
    'https://evil.example',
    'https://app.example.com.evil.example',
    'https://evil.example/https://app.example.com',
    'http://app.example.com',
    'https://app.example.com:8443',
    'HTTPS://APP.EXAMPLE.COM',
    `${origin}, ${origin}`,
    'null',
    '*',
  ];

  it.each(others)('is told nothing: %s', async (from) => {
    const answer = await api.send('/v1/things/t-1', { headers: { Origin: from } });
    expect(answer.status).toBe(200);
    expect(crossOriginFields(answer.headers)).toEqual([]);
    expect(answer.headers.get('vary')).toBe('Origin');
    const before = await preflight('/v1/things', { Origin: from, ...asked });
    expect(before).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
    expect(crossOriginFields(before.headers)).toEqual([]);
  });

  it('which is none has the answer of a program, to be kept for none', async () => {
    const { headers } = await api.send('/v1/things/t-1');
    expect(crossOriginFields(headers)).toEqual([]);
    expect(headers.get('vary')).toBe('Origin');
  });
});

describe('OPTIONS that is no preflight', () => {
  it('is no method of any resource', async () => {
    expect(await preflight('/v1/things', { Origin: origin })).toMatchObject({ status: 405 });
    expect(await preflight('/v1/nowhere', { Origin: origin })).toMatchObject({ status: 404 });
    expect((await preflight('/v1/things', {})).headers.get('allow')).toBe('GET, HEAD, POST');
  });
});

describe('where no origin is allowed', () => {
  it('answers are as if there were no browsers', async () => {
    const { headers } = await closed.send('/v1/things/t-1', { headers: { Origin: origin } });
    expect(crossOriginFields(headers)).toEqual([]);
    expect(headers.get('vary')).toBeNull();
    const before = await preflight('/v1/things', { Origin: origin, ...asked }, closed);
    expect(before.status).toBe(405);
    expect(crossOriginFields(before.headers)).toEqual([]);
  });
});
