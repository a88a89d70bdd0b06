import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Keys of 32 bytes by name. The first seals, every one opens. */
export type KeyRing = readonly { readonly id: string; readonly key: Buffer }[];

/** A text that only holders of the key can read. */
interface Sealed {
  readonly keyId: string;
  /** Nonce of 12 bytes, ciphertext, tag of 16 bytes. */
  readonly bytes: Buffer;
}

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts with the first key. `place` says where the text belongs: it opens nowhere else. */
export function seal(ring: KeyRing, place: readonly string[], text: string): Sealed {
  const [first] = ring;
  if (first === undefined) throw new Error('the ring has no key');
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, first.key, nonce, { authTagLength: tagBytes });
  encryption.setAAD(placeBytes(place));
  const encrypted = Buffer.concat([encryption.update(text, 'utf8'), encryption.final()]);
  return { keyId: first.id, bytes: Buffer.concat([nonce, encrypted, encryption.getAuthTag()]) };
}

/** What was sealed; undefined where its key is not in the ring, and for bytes that were changed or belong elsewhere. */
export function unseal(ring: KeyRing, place: readonly string[], { keyId, bytes }: Sealed): string | undefined {
  const found = ring.find(({ id }) => id === keyId);
  if (found === undefined || bytes.length < nonceBytes + tagBytes) return undefined;
  try {
    const nonce = bytes.subarray(0, nonceBytes);
    const decryption = createDecipheriv(cipher, found.key, nonce, { authTagLength: tagBytes });
    decryption.setAAD(placeBytes(place));
    decryption.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decryption.update(bytes.subarray(nonceBytes, -tagBytes)), decryption.final()]).toString();
  } catch {
    return undefined;
  }
}

/** JSON keeps the parts apart: no two places have the same text. */
const placeBytes = (place: readonly string[]): Buffer => Buffer.from(JSON.stringify(place));
