import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '../problems.ts';

/** The cursor for the page that Temporal's token names. It is good for this query, tenant included, and for no other. */
export const sealCursor = (secret: Uint8Array, query: string, token: Uint8Array): string =>
  `${Buffer.from(token).toString('base64url')}.${signatureOf(secret, query, token).toString('base64url')}`;

/** The inverse of {@link sealCursor}. Throws `invalid-cursor` for a cursor that was not given for this query. */
export function openCursor(secret: Uint8Array, query: string, cursor: string): Uint8Array {
  const [token, signature] = cursor.split('.').map((part) => Buffer.from(part, 'base64url'));
  const expected = token && signatureOf(secret, query, token);
  if (!token || !signature || signature.length !== expected?.length || !timingSafeEqual(signature, expected)) {
    throw new Problem('invalid-cursor');
  }
  return token;
}

const signatureOf = (secret: Uint8Array, query: string, token: Uint8Array): Buffer =>
  createHmac('sha256', secret).update(query).update('\0').update(token).digest();
