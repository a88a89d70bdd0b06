import { describe, expect, it } from 'vitest';
import { verifiedOf } from '../../src/tokens/claims.ts';
import { createPrincipalCache } from '../../src/tokens/principal-cache.ts';
import { claimsOf } from './tokens.ts';

const token = 'header.payload.signature';
const keys = { name: 'the keys that verified it' };
const issuedAt = 1_800_000_000;

function start(claims: Record<string, unknown> = {}, maxEntries?: number) {
  const clock = { wallMs: issuedAt * 1_000, ms: 5_000 };
  const cache = createPrincipalCache({
    wallClock: () => clock.wallMs,
    now: () => clock.ms,
    ...(maxEntries === undefined ? {} : { maxEntries }),
  });
  const payload = claimsOf({ iat: issuedAt, exp: issuedAt + 3_600, ...claims });
  const verified = verifiedOf(payload, { defaultTenant: undefined, permissions: new Set(), nowMs: clock.wallMs });
  if (verified === undefined) throw new Error('these claims are not accepted');
  const pass = (ms: number) => {
    clock.wallMs += ms;
    clock.ms += ms;
  };
  return { cache, clock, pass, verified, remember: (text = token) => cache.remember(text, keys, verified) };
}

describe('a token that was verified', () => {
  it('is found again as the same principal, for a minute', () => {
    const { cache, pass, verified, remember } = start();
    remember();
    expect(cache.find(token, keys)).toBe(verified.principal);
    pass(59_999);
    expect(cache.find(token, keys)).toBe(verified.principal);
    pass(1);
    expect(cache.find(token, keys)).toBeUndefined();
    expect(cache.size()).toBe(0);
  });

  it('is found only letter for letter', () => {
    const { cache, remember } = start();
    remember();
    for (const other of [`${token}x`, token.slice(0, -1), token.toUpperCase(), ` ${token}`, '']) {
      expect(cache.find(other, keys)).toBeUndefined();
    }
  });

  it('is found no more once the keys are others, also if the old ones come back', () => {
    const { cache, remember } = start();
    remember();
    expect(cache.find(token, { ...keys })).toBeUndefined();
    expect(cache.find(token, keys)).toBeUndefined();
  });

  it('ends with its own time, with the skew that is allowed, and not with the minute', () => {
    const { cache, clock, remember } = start({ exp: issuedAt + 10 });
    remember();
    clock.wallMs += 70_000;
    expect(cache.find(token, keys)).toBeDefined();
    clock.wallMs += 1;
    expect(cache.find(token, keys)).toBeUndefined();
  });

  it.each([
    ['issued', {}],
    ['usable', { iat: issuedAt - 500, nbf: issuedAt }],
  ])('counts for nothing where the clock goes back to before it was %s', (_what, claims) => {
    const { cache, clock, remember } = start(claims);
    remember();
    clock.wallMs -= 60_000;
    expect(cache.find(token, keys)).toBeDefined();
    clock.wallMs -= 1;
    expect(cache.find(token, keys)).toBeUndefined();
  });

  it('lives no longer where the clock goes back', () => {
    const { cache, clock, remember } = start();
    remember();
    clock.ms += 60_000;
    clock.wallMs -= 30_000;
    expect(cache.find(token, keys)).toBeUndefined();
  });
});

describe('the cache', () => {
  it('never grows beyond its bound, and forgets what was verified first', () => {
    const { cache, remember } = start({}, 3);
    for (let n = 0; n < 1_000; n += 1) {
      remember(`${token}${n}`);
      expect(cache.size()).toBeLessThanOrEqual(3);
    }
    expect([996, 997, 998, 999].map((n) => cache.find(`${token}${n}`, keys) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it('holds a token once, however often it is verified', () => {
    const { cache, remember } = start({}, 3);
    for (let n = 0; n < 10; n += 1) remember();
    expect(cache.size()).toBe(1);
  });
});
