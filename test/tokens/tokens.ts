import {
  constants,
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import type { Algorithm } from '../../src/config/key-algorithms.ts';

/** A key that signs tokens in tests. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: Algorithm;
  /** A private key, or the bytes of a shared secret. */
  readonly material: KeyObject | Buffer;
  /** The public half as PEM; empty for a secret. */
  readonly pem: string;
  /** The public half as it stands in a key set. */
  readonly jwk: JsonWebKey & { kid: string; alg?: string; use?: string };
}

/** A new key for an algorithm. */
export function createSigningKey(alg: Algorithm, kid = randomBytes(6).toString('hex')): SigningKey {
  if (alg.startsWith('HS')) return { kid, alg, material: randomBytes(64), pem: '', jwk: { kty: 'oct', kid } };
  const { privateKey, publicKey } = generate(alg);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { kid, alg, material: privateKey, pem, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

function generate(alg: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (alg) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: 2_048 });
  }
}

export const issuer = 'https://issuer.example';
export const audience = 'portico';

/** Claims that Portico accepts, for an hour from now; the members given replace or add. */
export function claimsOf(members: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const usual = { iss: issuer, aud: audience, sub: 'alice', iat: now, exp: now + 3_600, tenant: 'acme' };
  return { ...usual, permissions: ['things:read', 'things:start'], ...members };
}

/** A token with these claims and an honest header. */
export const mintToken = (key: SigningKey, claims: Readonly<Record<string, unknown>> = {}): string =>
  signToken({ key, header: {}, payload: claimsOf(claims) });

/** A token that may be crooked: header members replace the honest ones, and a text or bytes stand for JSON as they are. */
export function signToken(options: {
  key: SigningKey;
  header?: Readonly<Record<string, unknown>> | string;
  payload: Readonly<Record<string, unknown>> | string | Buffer;
  /** The algorithm that really signs; the key's own unless given. */
  signedWith?: Algorithm;
}): string {
  const { key, header = {}, payload } = options;
  const honest = { alg: key.alg, typ: 'JWT', kid: key.kid };
  const head = typeof header === 'string' ? header : JSON.stringify({ ...honest, ...header });
  const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
  const input = `${base64url(head)}.${base64url(body)}`;
  return `${input}.${signatureOf(options.signedWith ?? key.alg, key.material, input).toString('base64url')}`;
}

export const base64url = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

/** The signature of `input`; bytes as key only for HS algorithms. */
export function signatureOf(alg: Algorithm, key: KeyObject | Buffer, input: string): Buffer {
  const digest = `sha${alg.slice(2)}`;
  const data = Buffer.from(input);
  if (Buffer.isBuffer(key)) return createHmac(digest, key).update(data).digest();
  if (alg === 'EdDSA') return sign(null, data, key);
  if (alg.startsWith('ES')) return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('RS')) return sign(digest, data, key);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return sign(digest, data, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
}
