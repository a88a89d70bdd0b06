import { afterAll, describe, expect, it } from 'vitest';
import { publicKeyAlgorithms, secretAlgorithms } from '../../src/config/key-algorithms.ts';
import { secretOf } from '../../src/config/secret.ts';
import { verifiedOf } from '../../src/tokens/claims.ts';
import { createVerificationKeys } from '../../src/tokens/keys.ts';
import { isSignedBy } from '../../src/tokens/signature.ts';
import { appKey, startApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';
import { claimsOf, createSigningKey, mintToken, signToken } from './tokens.ts';
import { startWithJwks, startWithSecret } from './verifiers.ts';

const api = await startApp();
afterAll(api.stop);

const token = mintToken(appKey);
const bearer = (claims: Record<string, unknown>): string => `Bearer ${mintToken(appKey, claims)}`;
const path = '/v1/things/t-1';

/** The key of {@link appKey}, and how often it was asked for. */
function countingKeys() {
  const logger = { warn: () => undefined };
  const jwt = { algorithms: ['ES256'], keys: { kind: 'public-key', pem: appKey.pem } } as const;
  const keys = createVerificationKeys({ jwt, logger });
  let count = 0;
  const keyFor: typeof keys.keyFor = (question) => {
    count += 1;
    return keys.keyFor(question);
  };
  return { keys: { ...keys, keyFor }, asked: () => count };
}

const missing = 'Bearer realm="portico"';
const invalid = 'Bearer realm="portico", error="invalid_token"';

describe('the Authorization header', () => {
  it.each(['Bearer ', 'bearer ', 'BEARER   '])('may begin with "%s"', async (scheme) => {
    expect((await api.send(path, { authorization: scheme + token })).status).toBe(200);
  });

  it('that is missing gets a challenge without error code', async () => {
    const { status, headers, body } = await api.send(path, { authorization: null });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(missing);
    expect(body).toMatchObject({ code: 'unauthenticated', retryable: false, effect: 'none' });
  });

  it.each([
    ['another scheme', `Basic ${token}`],
    ['no scheme', token],
    ['no token', 'Bearer'],
    ['an empty token', 'Bearer '],
    ['two tokens', `Bearer ${token} ${token}`],
    ['a list', `Bearer ${token}, Bearer ${token}`],
    ['a quoted token', `Bearer "${token}"`],
    ['a tab', `Bearer\t${token}`],
    ['a parameter', `Bearer token=${token}`],
    ['a scheme that only begins so', `BearerX ${token}`],
  ])('with %s is 401', async (_what, authorization) => {
    const { status, headers } = await api.send(path, { authorization });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(invalid);
  });
});

describe('a token elsewhere', () => {
  it('in the address counts for nothing', async () => {
    const { status, headers } = await api.send(`${path}?access_token=${token}`, { authorization: null });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(missing);
  });

  it('in the address is refused beside a good header too', async () => {
    const { status, headers } = await api.send(`${path}?access_token=${token}`);
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(invalid);
  });

  it.each([
    ['a cookie', { Cookie: `token=${token}; access_token=${token}` }],
    ['another header', { 'X-Access-Token': token, 'Proxy-Authorization': `Bearer ${token}` }],
  ])('in %s counts for nothing', async (_what, headers) => {
    expect((await api.send(path, { authorization: null, headers })).status).toBe(401);
  });

  it('in a form counts for nothing', async () => {
    const init = {
      method: 'POST',
      body: `access_token=${token}`,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    };
    expect((await api.send('/v1/things', { ...init, authorization: null })).status).toBe(401);
  });
});

describe('the principal', () => {
  const permissionsWith = async (claims: Record<string, unknown>) => {
    const { body } = await api.send('/v1/things/t-1', {
      authorization: bearer({ permissions: undefined, ...claims }),
    });
    return body['permissions'];
  };

  it('has the permissions of `permissions`, else those of `scope`, and none that no route declares', async () => {
    expect(await permissionsWith({ permissions: ['things:read', 'admin', 'things:read '] })).toEqual(['things:read']);
    expect(await permissionsWith({ scope: 'openid things:read things:poke' })).toEqual(['things:read', 'things:poke']);
    expect(await permissionsWith({ permissions: ['things:read'], scope: 'things:poke' })).toEqual(['things:read']);
  });

  it('has the tenant of the token, or the one that is configured for tokens without', async () => {
    expect((await api.send(path, { authorization: bearer({ tenant: 'globex.eu_1-a' }) })).body['tenant']).toBe(
      'globex.eu_1-a',
    );
    expect((await api.send(path, { authorization: bearer({ tenant: undefined }) })).body['tenant']).toBe('default');
  });

  it('does not exist where neither the token nor the configuration names a tenant', async () => {
    const other = await startApp({ authentication: { defaultTenant: undefined } });
    const statusWith = async (tenant: string | undefined) =>
      (await other.send(path, { authorization: bearer({ tenant }) })).status;
    expect([await statusWith('acme'), await statusWith(undefined)]).toEqual([200, 401]);
    await other.stop();
  });

  it('cannot be changed, so that no request can touch the next', () => {
    const { principal } =
      verifiedOf(claimsOf(), {
        defaultTenant: 'default',
        permissions: new Set(['things:read']),
        nowMs: Date.now(),
      }) ?? {};
    expect(principal).toBeDefined();
    expect(() => Object.assign(principal ?? {}, { tenant: 'other' })).toThrow(TypeError);
    expect(() => Object.assign(principal?.actor ?? {}, { sub: 'mallory' })).toThrow(TypeError);
    const permissions = principal?.permissions ?? new Set();
    expect(() => Object.assign(permissions, { has: () => true })).toThrow(TypeError);
    expect(() => Set.prototype.add.call(permissions, 'things:start')).toThrow(TypeError);
    expect([permissions.has('things:read'), permissions.has('things:start')]).toEqual([true, false]);
  });

  it('ends with its token, also of one that was verified a moment ago', async () => {
    const authorization = bearer({
      iat: Math.floor(Date.now() / 1_000) - 100,
      exp: Math.floor(Date.now() / 1_000) - 50,
    });
    expect((await api.send(path, { authorization })).status).toBe(200);
    await expect.poll(async () => (await api.send(path, { authorization })).status, { interval: 200 }).toBe(401);
  });

  it('is remembered for a minute, as often as its token is sent', async () => {
    const { keys, asked } = countingKeys();
    const clock = { ms: 0 };
    const other = await startApp({ authentication: { keys, cache: { now: () => clock.ms } } });
    const who = async () => (await other.send(path)).body;
    const first = await who();
    expect(first).toMatchObject({ tenant: 'acme', actor: { sub: 'alice' } });
    for (let n = 0; n < 5; n += 1)
      expect((await other.send(path, { authorization: `Bearer ${token}` })).status).toBe(200);
    const before = asked();
    clock.ms = 59_999;
    await other.send(path, { authorization: `Bearer ${token}` });
    expect(asked()).toBe(before);
    clock.ms = 60_000;
    await other.send(path, { authorization: `Bearer ${token}` });
    expect(asked()).toBeGreaterThan(before);
    await other.stop();
  });

  it('is not remembered of a token that was refused, however often it comes', async () => {
    const { keys, asked } = countingKeys();
    const other = await startApp({ authentication: { keys } });
    const forged = mintToken(createSigningKey('ES256', appKey.kid));
    for (let n = 0; n < 3; n += 1) {
      expect((await other.send(path, { authorization: `Bearer ${forged}` })).status).toBe(401);
    }
    expect(asked()).toBe(3);
    await other.stop();
  });

  it('that is remembered frees its request of no other rule', async () => {
    expect((await api.send(path, { authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await api.send(`${path}?access_token=x`, { authorization: `Bearer ${token}` })).status).toBe(401);
    expect((await api.send(path, { authorization: `Basic ${token}` })).status).toBe(401);
    expect((await api.send(path, { authorization: `Bearer ${token} ` + 'x' })).status).toBe(401);
    expect((await api.send('/v1/things/t-1/poke', { method: 'POST', authorization: `Bearer ${token}` })).status).toBe(
      403,
    );
  });

  it('does not exist on a public route', async () => {
    const other = await startApp({
      operations: [
        probe({
          operationId: 'who',
          path: '/v1/who',
          permission: 'public',
          handle: ({ principal }) => Promise.resolve({ status: 200, body: principal }),
        }),
      ],
    });
    expect((await other.send('/v1/who')).status).toBe(500);
    await other.stop();
  });
});

describe('a permission that is missing', () => {
  it('is 403 and named, and nothing else is', async () => {
    const { status, headers, body } = await api.send(path, {
      authorization: bearer({ permissions: ['things:start'] }),
    });
    expect(status).toBe(403);
    expect(headers.get('www-authenticate')).toBe(
      'Bearer realm="portico", error="insufficient_scope", scope="things:read"',
    );
    expect(body).toMatchObject({ code: 'forbidden', retryable: false, effect: 'none' });
  });
});

describe('keys', () => {
  const logger = { warn: () => undefined };

  it('are a shared secret where that is configured', async () => {
    const key = createSigningKey('HS256');
    const secret = secretOf(key.material as Buffer);
    const keys = createVerificationKeys({ jwt: { algorithms: ['HS256'], keys: { kind: 'secret', secret } }, logger });
    const other = await startApp({ authentication: { algorithms: ['HS256'], keys } });
    expect((await other.send(path, { authorization: `Bearer ${mintToken(key)}` })).status).toBe(200);
    await other.stop();
  });

  it.each([
    ['a public key for HS256', { algorithms: ['HS256'], keys: { kind: 'public-key', pem: appKey.pem } }],
    ['a secret for ES256', { algorithms: ['ES256'], keys: { kind: 'secret', secret: secretOf(Buffer.alloc(32)) } }],
    ['one key for two algorithms', { algorithms: ['RS256', 'PS256'], keys: { kind: 'public-key', pem: appKey.pem } }],
    ['one key for none', { algorithms: [], keys: { kind: 'public-key', pem: appKey.pem } }],
  ] as const)('are refused at boot where they are %s', (_what, jwt) => {
    expect(() => createVerificationKeys({ jwt, logger })).toThrow(/a single key|does not fit/);
  });

  it('from a PEM file accept what the key signs, of its one algorithm', async () => {
    const rsa = createSigningKey('RS256');
    const keys = createVerificationKeys({
      jwt: { algorithms: ['RS256'], keys: { kind: 'public-key', pem: rsa.pem } },
      logger,
    });
    const other = await startApp({ authentication: { algorithms: ['RS256'], keys } });
    const statusOf = async (sent: string) => (await other.send(path, { authorization: `Bearer ${sent}` })).status;
    expect(await statusOf(mintToken(rsa))).toBe(200);
    for (const alg of ['RS384', 'RS512', 'PS256'] as const) {
      expect(await statusOf(signToken({ key: { ...rsa, alg }, payload: claimsOf() }))).toBe(401);
    }
    await other.stop();
  });
});

describe('a signature', () => {
  it.each([...publicKeyAlgorithms, ...secretAlgorithms])('by %s is taken of its key alone', (alg) => {
    const [key, other] = [createSigningKey(alg), createSigningKey(alg)];
    const keyOf = ({ pem, material }: typeof key) => (Buffer.isBuffer(material) ? material : pem);
    const signed = mintToken(key);
    expect(isSignedBy(keyOf(key), alg, signed)).toBe(true);
    expect(isSignedBy(keyOf(other), alg, signed)).toBe(false);
    expect(isSignedBy(keyOf(key), alg, signed.slice(0, -8))).toBe(false);
    expect(isSignedBy(keyOf(key), alg, `x${signed}`)).toBe(false);
  });
});

describe('a token with one character changed', () => {
  it.each([
    ['a key set', startWithJwks],
    ['a secret', startWithSecret],
  ])('is refused unless it says the very same: %s', async (_what, start) => {
    const verifiers = await start();
    const random = seeded(20_261_121);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/';
    const pick = (below: number) => Math.floor(random() * below);
    for (const key of verifiers.keys) {
      const honest = mintToken(key);
      for (let round = 0; round < 800; round += 1) {
        const at = pick(honest.length);
        const letter = alphabet[pick(alphabet.length)] ?? '';
        const changed = [
          honest.slice(0, at) + letter + honest.slice(at + 1),
          honest.slice(0, at) + honest.slice(at + 1),
          honest.slice(0, at) + letter + honest.slice(at),
        ][round % 3];
        if (changed === undefined || changed === honest) continue;
        const { status } = await verifiers.send(changed);
        if (status === 401) continue;
        // The last letter of a part carries bits that mean nothing.
        expect([status, ...partsOf(changed)]).toEqual([200, ...partsOf(honest)]);
      }
    }
    await verifiers.stop();
  });
});

const partsOf = (jwt: string): string[] => jwt.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));

/** Mulberry32: numbers from 0 to 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
