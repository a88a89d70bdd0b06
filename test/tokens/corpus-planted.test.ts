import type * as FastifyJwt from '@fastify/jwt';
import type { FastifyPluginCallback } from 'fastify';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { tokenCorpus } from './corpus.ts';
import { startWithJwks } from './verifiers.ts';

/** What the tampered plugin below leaves out of its verifier. */
const planted = vi.hoisted(() => ({ without: [] as string[] }));

vi.mock('@fastify/jwt', async (importOriginal) => {
  const original = await importOriginal<typeof FastifyJwt>();
  const tampered: FastifyPluginCallback<FastifyJwt.FastifyJWTOptions> = (app, { verify, ...options }, done) => {
    const kept = Object.entries(verify ?? {}).filter(([name]) => !planted.without.includes(name));
    original.default(app, { ...options, verify: Object.fromEntries(kept) }, done);
  };
  // As a plugin that adds to the app itself, which the original is too.
  return { ...original, default: Object.assign(tampered, { [Symbol.for('skip-override')]: true }) };
});

const stops: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(stops.map((stop) => stop())));

async function wronglyAccepted(...without: string[]): Promise<string[]> {
  planted.without = without;
  const verifiers = await startWithJwks();
  stops.push(verifiers.stop);
  const [, key] = verifiers.keys;
  if (key === undefined) throw new Error('there are three keys');
  const names: string[] = [];
  for (const { name, token, isAccepted } of tokenCorpus(key, verifiers.keys)) {
    if (!isAccepted && (await verifiers.send(token)).status !== 401) names.push(name);
  }
  return names;
}

describe('the corpus catches a verifier', () => {
  it('that is as it should be in nothing', async () => {
    expect(await wronglyAccepted()).toEqual([]);
  });

  it('that requires no claims', async () => {
    expect(await wronglyAccepted('requiredClaims')).toEqual(['ES256: without aud']);
  });

  it('that looks at no audience', async () => {
    expect(await wronglyAccepted('allowedAud')).toContain('ES256: aud "other"');
  });

  it('that looks at no issuer', async () => {
    expect(await wronglyAccepted('allowedIss')).toContain('ES256: iss "https://other.example"');
  });
});
