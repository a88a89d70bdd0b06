import { afterAll, describe, expect, it } from 'vitest';
import { tokenCorpus } from './corpus.ts';
import { startWithJwks, startWithSecret } from './verifiers.ts';

const all = [await startWithJwks(), await startWithSecret()];
afterAll(() => Promise.all(all.map(({ stop }) => stop())));

const corpus = all.flatMap((verifiers) =>
  verifiers.keys.flatMap((key) => tokenCorpus(key, verifiers.keys).map((vector) => ({ ...vector, verifiers }))),
);

const refusal =
  '{"type":"urn:portico:problem:unauthenticated","title":"A valid bearer token is required","status":401,' +
  '"instance":"/v1/authenticated","code":"unauthenticated","retryable":false,"effect":"none"}';

it('the corpus is as large as it should be, and every name is used once', () => {
  expect(corpus.length).toBeGreaterThan(600);
  expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
});

describe.each(all.flatMap(({ keys }) => keys.map(({ alg }) => alg)))('tokens signed with %s', (alg) => {
  const ours = corpus.filter(({ name }) => name.startsWith(`${alg}: `));

  it.each(ours.filter(({ isAccepted }) => isAccepted))('are accepted: $name', async ({ token, verifiers }) => {
    // 403 is what a valid token without the permission gets.
    expect([200, 403]).toContain((await verifiers.send(token)).status);
  });

  it.each(ours.filter(({ isAccepted }) => !isAccepted))(
    'are refused, and told nothing of why: $name',
    async ({ token, verifiers }) => {
      const { status, headers, text } = await verifiers.send(token);
      expect(status).toBe(401);
      expect(text).toBe(refusal);
      expect(headers['content-type']).toBe('application/problem+json');
      expect(headers['www-authenticate']).toBe('Bearer realm="portico", error="invalid_token"');
    },
  );

  it.each(ours)('are to jose what the corpus says: $name', async ({ token, verifiers, isAccepted, isStricter }) => {
    expect(await verifiers.isFineForJose(token)).toBe(isAccepted || isStricter);
  });
});
