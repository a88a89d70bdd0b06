import { createPublicKey } from 'node:crypto';

/** Every signature algorithm Portico may be told to accept; `none` is not among them. */
export const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const;
export const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

export type Algorithm = (typeof secretAlgorithms)[number] | (typeof publicKeyAlgorithms)[number];

const algorithmOfCurve: Readonly<Record<string, Algorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/**
 * The algorithms a PEM public key can verify, the usual one first. Empty for keys Portico refuses: an RSA key below
 * 2048 bits (RFC 7518, 3.3), another curve, another kind of key. Throws if the text is no public key.
 */
export function algorithmsOfPublicKey(pem: string): readonly Algorithm[] {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem);
  switch (asymmetricKeyType) {
    case 'rsa':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2_048 ? publicKeyAlgorithms.slice(0, 6) : [];
    case 'ec': {
      const algorithm = algorithmOfCurve[asymmetricKeyDetails?.namedCurve ?? ''];
      return algorithm === undefined ? [] : [algorithm];
    }
    case 'ed25519':
      return ['EdDSA'];
    default:
      return [];
  }
}

/** RFC 7518, 3.2: a secret is at least as long as the digest, in bytes. */
export const secretBytesFor = (algorithm: Algorithm): number => Number(algorithm.slice(2)) / 8;
