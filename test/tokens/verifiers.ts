import { createLocalJWKSet, jwtVerify } from 'jose';
import { secretOf } from '../../src/config/secret.ts';
import { createJwks } from '../../src/tokens/jwks.ts';
import { createVerificationKeys } from '../../src/tokens/keys.ts';
import { startApp, type TestApp } from '../harness/app.ts';
import { startJwksServer } from '../servers/jwks.ts';
import { audience, createSigningKey, issuer, type SigningKey } from './tokens.ts';

const logger = { warn: () => undefined };

/** A Portico that trusts some keys, and jose trusting the same ones: two opinions on a token. */
export interface Verifiers {
  readonly api: TestApp;
  readonly keys: readonly SigningKey[];
  /** What Portico says to a token on a route that every honest token may use. */
  readonly send: (token: string) => Promise<{ status: number; headers: Record<string, unknown>; text: string }>;
  /** Whether jose accepts it, asked for the same issuer, audience, algorithms and claims. */
  readonly isFineForJose: (token: string) => Promise<boolean>;
  readonly stop: () => Promise<void>;
}

/** Keys of three kinds from a key set. */
export async function startWithJwks(): Promise<Verifiers> {
  const keys = [createSigningKey('RS256'), createSigningKey('ES256'), createSigningKey('EdDSA')];
  const server = await startJwksServer(...keys);
  const algorithms = keys.map(({ alg }) => alg);
  const api = await startApp({
    // As if the keys were fetched long after: a key id that is not among them is wrong, and not new.
    authentication: {
      algorithms,
      keys: createJwks({ url: server.url, algorithms, logger, wallClock: () => Infinity }),
    },
  });
  const local = createLocalJWKSet({ keys: keys.map(({ jwk }) => jwk) });
  return {
    api,
    keys,
    send: senderOf(api),
    isFineForJose: (token) => isFine(jwtVerify(token, local, joseOptions(algorithms))),
    stop: async () => {
      await api.stop();
      await server.close();
    },
  };
}

/** One shared secret. */
export async function startWithSecret(): Promise<Verifiers> {
  const key = createSigningKey('HS256');
  const secret = key.material as Buffer;
  const keys = createVerificationKeys({
    jwt: { algorithms: ['HS256'], keys: { kind: 'secret', secret: secretOf(secret) } },
    logger,
  });
  const api = await startApp({ authentication: { algorithms: ['HS256'], keys } });
  return {
    api,
    keys: [key],
    send: senderOf(api),
    isFineForJose: (token) => isFine(jwtVerify(token, secret, joseOptions(['HS256']))),
    stop: api.stop,
  };
}

const joseOptions = (algorithms: string[]) => ({
  algorithms,
  issuer,
  audience,
  requiredClaims: ['sub', 'iat', 'exp'],
  clockTolerance: 60,
});

const isFine = (verified: Promise<unknown>): Promise<boolean> =>
  verified.then(
    () => true,
    () => false,
  );

const senderOf = (api: TestApp) => async (token: string) => {
  const { statusCode, headers, payload } = await api.app.inject({
    url: '/v1/authenticated',
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: statusCode, headers, text: payload };
};
