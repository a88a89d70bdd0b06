import { afterAll, describe, expect, it } from 'vitest';
import { createJwks, type JwksOptions } from '../../src/tokens/jwks.ts';
import { startApp } from '../harness/app.ts';
import { type JwksMode, startJwksServer } from '../servers/jwks.ts';
import { createSigningKey, mintToken, type SigningKey } from './tokens.ts';

const es = createSigningKey('ES256');
const rotated = createSigningKey('ES256');
const rsa = createSigningKey('RS256');
const eddsa = createSigningKey('EdDSA');

const stops: (() => Promise<unknown>)[] = [];
afterAll(() => Promise.all(stops.map((stop) => stop())));

async function start(options: Partial<JwksOptions> = {}, ...keys: readonly SigningKey[]) {
  const server = await startJwksServer(...keys);
  stops.push(server.close);
  const clock = { ms: 1_000_000 };
  const warnings: unknown[] = [];
  const jwks = createJwks({
    url: server.url,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    timeoutMs: 20_000,
    logger: { warn: (line: unknown) => void warnings.push(line) },
    now: () => clock.ms,
    wallClock: () => clock.ms,
    ...options,
  });
  const ask = ({ kid, alg, issuedAt }: { kid?: string; alg: SigningKey['alg']; issuedAt?: number }) =>
    jwks.keyFor({ kid, alg, issuedAt }).then(
      () => 'found',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );
  return { server, jwks, clock, ask, warnings };
}

const noMatch = 'ERR_JWKS_NO_MATCHING_KEY';

describe('a key', () => {
  it('is fetched once for many tokens, and not before the first', async () => {
    const { server, ask } = await start({}, es, rsa, eddsa);
    expect(server.fetches()).toBe(0);
    const answers = await Promise.all([es, rsa, eddsa, es, rsa, eddsa].map(ask));
    expect(answers).toEqual(Array(6).fill('found'));
    expect(server.fetches()).toBe(1);
  });

  it('serves the one algorithm that it names', async () => {
    const { ask } = await start({ algorithms: ['RS256', 'RS512', 'PS256'] }, rsa);
    expect(await ask({ kid: rsa.kid, alg: 'RS256' })).toBe('found');
    expect(await ask({ kid: rsa.kid, alg: 'RS512' })).toBe(noMatch);
    expect(await ask({ kid: rsa.kid, alg: 'PS256' })).toBe(noMatch);
  });

  it('that names none serves the algorithm that is preferred', async () => {
    const { server, ask } = await start({ algorithms: ['PS256', 'RS256'] });
    const { alg: _alg, ...unnamed } = rsa.jwk;
    server.keys = [unnamed];
    expect(await ask({ kid: rsa.kid, alg: 'PS256' })).toBe('found');
    expect(await ask({ kid: rsa.kid, alg: 'RS256' })).toBe(noMatch);
  });

  it.each([
    ['a short RSA key', { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB', kid: 'x' }, 'RS256'],
    ['a key for encryption', { ...rsa.jwk, use: 'enc', kid: 'x' }, 'RS256'],
    ['a key of another curve', { ...createSigningKey('ES384').jwk, kid: 'x' }, 'ES256'],
  ] as const)('is not %s', async (_what, jwk, alg) => {
    const { server, ask } = await start();
    server.keys = [jwk];
    expect(await ask({ kid: 'x', alg })).not.toBe('found');
  });

  it('is not a secret in the set', async () => {
    const { server, jwks } = await start({ algorithms: ['HS256'] });
    server.keys = [{ kty: 'oct', k: 'AAAA', kid: 'x', alg: 'HS256' }];
    await expect(jwks.keyFor({ kid: 'x', alg: 'HS256' })).rejects.toThrow();
  });
});

describe('rotation', () => {
  it('is noticed by the first token that names the new key', async () => {
    const { server, clock, ask } = await start({}, es);
    expect(await ask(es)).toBe('found');
    server.keys = [es.jwk, rotated.jwk];
    clock.ms += 30_000;
    expect(await Promise.all([ask(rotated), ask(rotated), ask(rotated)])).toEqual(Array(3).fill('found'));
    expect(server.fetches()).toBe(2);
  });

  it('makes a removed key useless within ten minutes', async () => {
    const { server, clock, ask } = await start({}, es);
    expect(await ask(es)).toBe('found');
    server.keys = [rotated.jwk];
    clock.ms += 599_999;
    expect(await ask(es)).toBe('found');
    clock.ms += 1;
    expect(await ask(es)).toBe(noMatch);
    expect(server.fetches()).toBe(2);
  });

  it('is looked for behind the scenes from eight minutes on, and nobody waits', async () => {
    const { server, clock, ask } = await start({ timeoutMs: 60_000 }, es);
    expect(await ask(es)).toBe('found');
    server.mode = 'hang';
    clock.ms += 480_000;
    const startedAt = performance.now();
    expect(await ask(es)).toBe('found');
    await expect.poll(server.fetches).toBe(2);
    expect(await ask(es)).toBe('found');
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(server.fetches()).toBe(2);
  });

  it('makes a token that is younger than the keys retryable until they may be fetched again', async () => {
    const { server, clock, ask, jwks } = await start({}, es);
    expect(await ask(es)).toBe('found');
    const seconds = () => Math.floor(clock.ms / 1_000);
    clock.ms += 10_000;
    server.keys = [es.jwk, rotated.jwk];
    expect(await ask({ ...rotated, issuedAt: seconds() })).toBe('keys-unavailable');
    await expect(jwks.keyFor({ ...rotated, issuedAt: seconds() })).rejects.toMatchObject({ isRefusal: true });
    expect(await ask({ ...rotated, issuedAt: seconds() - 60 })).toBe(noMatch);
    expect(await ask({ ...rotated, issuedAt: seconds() + 3_600 })).toBe(noMatch);
    expect(await ask(rotated)).toBe(noMatch);
    expect(server.fetches()).toBe(1);
    clock.ms += 20_000;
    expect(await ask({ ...rotated, issuedAt: seconds() - 20 })).toBe('found');
  });

  it('to the same key id with other material takes the new material', async () => {
    const { server, clock, jwks } = await start({}, es);
    const before = await jwks.keyFor(es);
    server.keys = [{ ...rotated.jwk, kid: es.kid }];
    clock.ms += 600_000;
    expect(await jwks.keyFor(es)).not.toBe(before);
  });
});

describe('a flood of unknown key ids', () => {
  it('costs one fetch in thirty seconds', async () => {
    const { server, clock, ask } = await start({}, es);
    await ask(es);
    for (let second = 0; second < 300; second += 1) {
      clock.ms += 1_000;
      const flood = Array.from({ length: 7 }, (_, n) =>
        ask({ kid: `unknown-${second}-${n}`, alg: 'ES256', issuedAt: n }),
      );
      expect(await Promise.all([...flood, ask(es)])).toEqual([...Array<string>(7).fill(noMatch), 'found']);
      const young = { kid: `young-${second}`, alg: 'ES256', issuedAt: Math.floor(clock.ms / 1_000) } as const;
      expect([noMatch, 'keys-unavailable']).toContain(await ask(young));
    }
    expect(server.fetches()).toBe(11);
  });
});

describe('an outage', () => {
  it('leaves known keys in use for an hour, and asks once in thirty seconds', async () => {
    const { server, clock, ask, warnings } = await start({}, es);
    expect(await ask(es)).toBe('found');
    server.mode = 'down';
    clock.ms += 600_000;
    for (let second = 600; second < 3_600; second += 10) {
      expect(await ask(es)).toBe('found');
      await expect.poll(() => warnings.length, { interval: 1 }).toBe(Math.floor((second - 600) / 30) + 1);
      clock.ms += 10_000;
    }
    expect(server.fetches()).toBe(101);
    expect(await ask(es)).toBe('keys-unavailable');
  });

  it('says that it cannot tell an unknown key from a new one', async () => {
    const { server, clock, ask } = await start({}, es);
    expect(await ask(es)).toBe('found');
    server.mode = 'down';
    clock.ms += 30_000;
    expect(await ask(rotated)).toBe('keys-unavailable');
    expect(await ask(rotated)).toBe('keys-unavailable');
    expect(server.fetches()).toBe(2);
  });

  it('from the start is asked about every two seconds, and over as soon as the issuer is back', async () => {
    const { server, clock, ask, jwks } = await start({}, es);
    server.mode = 'down';
    expect(await ask(es)).toBe('keys-unavailable');
    expect(await ask(es)).toBe('keys-unavailable');
    await expect(jwks.check()).rejects.toMatchObject({ code: 'keys-unavailable' });
    expect(server.fetches()).toBe(1);
    server.mode = 'ok';
    clock.ms += 2_000;
    expect(await ask(es)).toBe('found');
    await expect(jwks.check()).resolves.toBeUndefined();
  });

  it.each<JwksMode>(['down', 'hang', 'error', 'html', 'huge', 'redirect', 'drip'])(
    'is also an issuer that answers like "%s"',
    async (mode) => {
      const { server, clock, ask } = await start({ timeoutMs: 3_000 }, es);
      expect(await ask(es)).toBe('found');
      server.mode = mode;
      clock.ms += 600_000;
      expect(await ask(es)).toBe('found');
      expect(await ask(rotated)).toBe('keys-unavailable');
      server.mode = 'ok';
      server.keys = [rotated.jwk];
      clock.ms += 30_000;
      expect(await ask(rotated)).toBe('found');
      expect(await ask(es)).toBe(noMatch);
    },
  );

  it('makes nobody wait once it is known', async () => {
    const { server, clock, ask } = await start({ timeoutMs: 60_000 }, es);
    expect(await ask(es)).toBe('found');
    server.mode = 'down';
    clock.ms += 600_000;
    expect(await ask(es)).toBe('found');
    server.mode = 'hang';
    clock.ms += 30_000;
    const startedAt = performance.now();
    expect(await Promise.all([ask(es), ask(es)])).toEqual(['found', 'found']);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('over HTTP', () => {
  it('rotation, unknown keys and outage are 200, 401 and 503', async () => {
    const { server, clock, jwks } = await start({}, es);
    const api = await startApp({ authentication: { algorithms: ['RS256', 'ES256', 'EdDSA'], keys: jwks } });
    stops.push(api.stop);
    const statusWith = async (key: SigningKey) => {
      const { status, headers, body } = await api.send('/v1/things/t-1', {
        authorization: `Bearer ${mintToken(key)}`,
      });
      if (status === 401) expect(headers.get('www-authenticate')).toBe('Bearer realm="portico", error="invalid_token"');
      if (status === 503) {
        expect(body).toMatchObject({ code: 'keys-unavailable', retryable: true, effect: 'none' });
        expect(headers.get('retry-after')).toBe('5');
      }
      return status;
    };
    expect(await statusWith(es)).toBe(200);
    expect(await statusWith(rsa)).toBe(401);
    server.keys = [es.jwk, rsa.jwk];
    clock.ms += 30_000;
    expect(await statusWith(rsa)).toBe(200);
    expect(await statusWith(eddsa)).toBe(401);
    server.mode = 'down';
    clock.ms += 30_000;
    expect(await statusWith(eddsa)).toBe(503);
    expect(await statusWith(es)).toBe(200);
  });

  it('a token that is remembered is refused as soon as its key is removed', async () => {
    const { server, clock, jwks } = await start({}, es);
    const api = await startApp({ authentication: { algorithms: ['RS256', 'ES256', 'EdDSA'], keys: jwks } });
    stops.push(api.stop);
    const remembered = `Bearer ${mintToken(es)}`;
    const status = async (authorization: string) => (await api.send('/v1/things/t-1', { authorization })).status;
    expect([await status(remembered), await status(remembered)]).toEqual([200, 200]);
    server.keys = [rotated.jwk];
    expect(await status(remembered)).toBe(200);
    // Another caller's token makes Portico fetch the keys.
    clock.ms += 30_000;
    expect(await status(`Bearer ${mintToken(rotated)}`)).toBe(200);
    expect(await status(remembered)).toBe(401);
  });

  it('a token that is remembered counts no longer than the keys that verified it', async () => {
    const { server, clock, jwks } = await start({}, es);
    const api = await startApp({ authentication: { algorithms: ['RS256', 'ES256', 'EdDSA'], keys: jwks } });
    stops.push(api.stop);
    const remembered = `Bearer ${mintToken(es)}`;
    const status = async () => (await api.send('/v1/things/t-1', { authorization: remembered })).status;
    expect(await status()).toBe(200);
    expect(await status()).toBe(200);
    server.keys = [rotated.jwk];
    clock.ms += 600_000;
    expect(await status()).toBe(401);
  });
});
