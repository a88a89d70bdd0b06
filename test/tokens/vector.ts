import { claimsOf, type SigningKey, signToken } from './tokens.ts';

/** A token, and what Portico says to it. */
export interface TokenVector {
  readonly name: string;
  readonly token: string;
  readonly isAccepted: boolean;
  /** True where jose, asked for the same issuer, audience, algorithms and claims, accepts what Portico refuses. */
  readonly isStricter: boolean;
}

export const accepted = (name: string, token: string): TokenVector => ({
  name,
  token,
  isAccepted: true,
  isStricter: false,
});

export const refused = (name: string, token: string): TokenVector => ({
  name,
  token,
  isAccepted: false,
  isStricter: false,
});

/** Refused although a verifier of signatures and registered claims has nothing against it. */
export const stricter = (name: string, token: string): TokenVector => ({
  name,
  token,
  isAccepted: false,
  isStricter: true,
});

type Members = Readonly<Record<string, unknown>>;

/** Signs tokens with one key, honest but for what is given. */
export interface Signer {
  /** Claims and header members replace the honest ones. */
  readonly sign: (claims: Members, header?: Members) => string;
  /** The payload is this text, or these bytes. */
  readonly signPayload: (payload: string | Buffer) => string;
  /** The header is this text. */
  readonly signHeader: (header: string) => string;
}

export const signerWith = (key: SigningKey): Signer => ({
  sign: (claims, header = {}) => signToken({ key, header, payload: claimsOf(claims) }),
  signPayload: (payload) => signToken({ key, payload }),
  signHeader: (header) => signToken({ key, header, payload: claimsOf() }),
});
