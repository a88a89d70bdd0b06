import type { Algorithm } from '../config/key-algorithms.ts';

/** What a token's header says about the key that signed it. Nothing of it is verified yet. */
export interface KeyQuestion {
  /** One of the algorithms that were configured. */
  readonly alg: Algorithm;
  readonly kid?: string | undefined;
  /** When the token says that it was issued; seconds of the epoch. */
  readonly issuedAt?: number | undefined;
}

/** The keys that tokens are verified with. */
export interface VerificationKeys {
  /**
   * The key for a token with such a header: PEM of a public key, or the bytes of a shared secret. Throws a Problem if
   * the question cannot be answered at the moment, and any other error if there is no such key.
   */
  readonly keyFor: (question: KeyQuestion) => Promise<string | Buffer>;
  /**
   * The keys as they stand, to compare with earlier ones: another object as soon as the keys are others. Undefined where
   * {@link keyFor} would have to wait for them. Asking fetches nothing.
   */
  readonly current: () => object | undefined;
  /** Resolves if keys are at hand; for the readiness check. */
  readonly check: () => Promise<void>;
}
