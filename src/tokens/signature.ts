import { constants, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import type { Algorithm } from '../config/key-algorithms.ts';

/** Whether that key signed a token in compact form by that algorithm. A PEM is a public key, bytes are a secret. */
export function isSignedBy(key: string | Buffer, alg: Algorithm, token: string): boolean {
  const end = token.lastIndexOf('.');
  const input = Buffer.from(token.slice(0, end));
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  const digest = `sha${alg.slice(2)}`;
  if (Buffer.isBuffer(key)) {
    const expected = createHmac(digest, key).update(input).digest();
    return alg.startsWith('HS') && signature.length === expected.length && timingSafeEqual(signature, expected);
  }
  const publicKey = publicKeyOf(key);
  if (alg === 'EdDSA') return verify(null, input, publicKey, signature);
  if (alg.startsWith('RS')) return verify(digest, input, publicKey, signature);
  if (alg.startsWith('ES')) return verify(digest, input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  const [padding, saltLength] = [constants.RSA_PKCS1_PSS_PADDING, constants.RSA_PSS_SALTLEN_DIGEST];
  return alg.startsWith('PS') && verify(digest, input, { key: publicKey, padding, saltLength }, signature);
}

const parsed = new Map<string, KeyObject>();
const maxParsed = 100;

/** To parse a key takes longer than to verify with it. */
function publicKeyOf(pem: string): KeyObject {
  const known = parsed.get(pem) ?? createPublicKey(pem);
  if (parsed.size >= maxParsed) parsed.clear();
  parsed.set(pem, known);
  return known;
}
