import { describe, expect, it } from 'vitest';
import { Problem } from '../../src/problems.ts';
import { appKey, jsonPost, startApp } from '../harness/app.ts';
import { createSigningKey, mintToken } from '../tokens/tokens.ts';

const none = { address: 0, refusals: 0, start: 0, action: 0, read: 0, list: 0 };
const bearer = (claims: Record<string, unknown>): string => `Bearer ${mintToken(appKey, claims)}`;

async function statusesOf(times: number, send: () => Promise<{ status: number }>): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < times; n += 1) statuses.push((await send()).status);
  return statuses;
}

describe('the limit by subject', () => {
  it('is each cost for itself, ten seconds long, and says when to come back', async () => {
    const api = await startApp({ rateLimits: { ...none, list: 1, start: 1 } });
    const statuses = await statusesOf(11, () => api.send('/v1/things'));
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
    const { headers, body } = await api.send('/v1/things');
    expect(body).toMatchObject({ code: 'rate-limited', retryable: true, effect: 'none' });
    expect(body['retryAfterMs']).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
    expect(headers.get('ratelimit-limit')).toBe('10');
    expect(headers.get('ratelimit-remaining')).toBe('0');
    expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(0);
    expect((await api.send('/v1/things', jsonPost({}))).status).toBe(202);
    expect((await api.send('/v1/things/t-1')).status).toBe(200);
    await api.stop();
  });

  it('is each subject of each tenant for itself', async () => {
    const api = await startApp({ rateLimits: { ...none, read: 1 } });
    const read = (claims: Record<string, unknown>) => () =>
      api.send('/v1/things/t-1', { authorization: bearer(claims) });
    expect(await statusesOf(11, read({ sub: 'alice' }))).toContain(429);
    expect(await statusesOf(10, read({ sub: 'bob' }))).not.toContain(429);
    expect(await statusesOf(10, read({ sub: 'alice', tenant: 'other' }))).not.toContain(429);
    await api.stop();
  });

  it('counts refusals for lack of a permission', async () => {
    const api = await startApp({ rateLimits: { ...none, read: 1 } });
    const authorization = bearer({ permissions: [] });
    const statuses = await statusesOf(11, () => api.send('/v1/things/t-1', { authorization }));
    expect(statuses).toEqual([...Array<number>(10).fill(403), 429]);
    await api.stop();
  });
});

describe('the limit by address', () => {
  it('counts what comes without a valid token, and what leads nowhere', async () => {
    const api = await startApp({ rateLimits: { ...none, address: 1 } });
    const paths = ['/v1/things/t-1', '/nowhere'];
    const statuses = await statusesOf(12, () => api.send(paths.reverse()[0] ?? '', { authorization: 'Bearer x.y.z' }));
    expect(statuses.slice(0, 10).sort()).toEqual([...Array<number>(5).fill(401), ...Array<number>(5).fill(404)]);
    expect(statuses.slice(10)).toEqual([429, 429]);
    expect((await api.send('/v1/public')).status).toBe(429);
    await api.stop();
  });

  it('is each address for itself behind a trusted proxy, and one behind any other', async () => {
    const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
    const trusting = await startApp({ rateLimits: { ...none, address: 1 }, trustProxy: ['127.0.0.1'] });
    expect(await statusesOf(11, () => trusting.send('/v1/public', from('203.0.113.1')))).toContain(429);
    expect((await trusting.send('/v1/public', from('203.0.113.2'))).status).toBe(200);
    await trusting.stop();

    const careful = await startApp({ rateLimits: { ...none, address: 1 } });
    let last = 0;
    const lying = () => careful.send('/v1/public', from(`203.0.113.${(last += 1)}`));
    expect((await statusesOf(11, lying)).at(-1)).toBe(429);
    await careful.stop();
  });
});

describe('the limit of refused tokens', () => {
  const forged = { authorization: `Bearer ${mintToken(createSigningKey('ES256'))}` };

  it('keeps an address away from the token for a while, also with a valid one', async () => {
    const api = await startApp({ rateLimits: { ...none, refusals: 1 } });
    const statuses = await statusesOf(11, () => api.send('/v1/things/t-1', forged));
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429]);
    const { status, headers, body } = await api.send('/v1/things/t-1');
    expect(status).toBe(429);
    expect(body).toMatchObject({ code: 'rate-limited', retryable: true, effect: 'none' });
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
    expect(api.log().match(/limit of refused tokens/g)).toHaveLength(1);
    await api.stop();
  });

  it('counts a key that nobody knows yet, which anybody can name, unlogged', async () => {
    const unknown = () => Promise.reject(new Problem('keys-unavailable', { isRefusal: true, cause: new Error('why') }));
    const keys = { keyFor: unknown, current: () => undefined, check: () => Promise.resolve() };
    const api = await startApp({ authentication: { keys }, rateLimits: { ...none, refusals: 1 } });
    expect((await api.send('/v1/things/t-1')).status).toBe(503);
    expect(await statusesOf(10, () => api.send('/v1/things/t-1'))).toEqual([...Array<number>(9).fill(503), 429]);
    expect(api.log()).not.toContain('could not be served');
    await api.stop();
  });

  it('counts no request whose token is valid', async () => {
    const api = await startApp({ rateLimits: { ...none, refusals: 1 } });
    expect(await statusesOf(9, () => api.send('/v1/things/t-1', forged))).not.toContain(429);
    expect(await statusesOf(20, () => api.send('/v1/things/t-1'))).toEqual(Array(20).fill(200));
    const authorization = bearer({ permissions: [] });
    expect(await statusesOf(20, () => api.send('/v1/things/t-1', { authorization }))).toEqual(Array(20).fill(403));
    await api.stop();
  });
});

describe('under pressure', () => {
  it('reads, lists and strangers are sent away with 503, starts are served', async () => {
    const api = await startApp({
      pressure: { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 1e-9, maxRssBytes: 0 },
    });
    await expect.poll(async () => (await api.send('/v1/things/t-1')).status).toBe(503);
    const { body, headers } = await api.send('/v1/things');
    expect(body).toMatchObject({ code: 'overloaded', retryable: true, effect: 'none' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(3);
    expect(headers.get('x-request-id')).toBeTruthy();
    expect((await api.send('/nowhere')).status).toBe(503);
    expect((await api.send('/v1/things', jsonPost({}))).status).toBe(202);
    await api.stop();
  });

  it('of memory far beyond its limit, starts are sent away too', async () => {
    const api = await startApp({
      pressure: { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 0, maxRssBytes: 1_000 },
    });
    const start = async () => (await api.send('/v1/things', jsonPost({}))).status;
    await expect.poll(start).toBe(503);
    await api.stop();
  });
});
