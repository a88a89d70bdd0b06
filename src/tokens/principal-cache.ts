import { hash } from 'node:crypto';
import type { Principal, Verified } from './claims.ts';

interface Remembered extends Verified {
  /** The keys as they stood when the token was verified. */
  readonly keys: object;
  readonly forgetAtMs: number;
}

export interface PrincipalCacheOptions {
  /** Tokens remembered at most. The one that was verified longest ago is forgotten first. */
  readonly maxEntries?: number;
  /** How long a token is remembered, in milliseconds. */
  readonly maxAgeMs?: number;
  /** The time of day, in milliseconds of the epoch. */
  readonly wallClock?: () => number;
  /** A clock that never goes back, in milliseconds. */
  readonly now?: () => number;
}

/**
 * Remembers whom verified tokens stand for (docs/decisions/0029-a-principal-is-remembered.md). Nothing but a token that
 * was found valid gets in. It is found again only letter for letter, only while the keys stand as they stood, and only
 * within the token's own times. Tokens themselves are not kept.
 */
export function createPrincipalCache(options: PrincipalCacheOptions = {}) {
  const { maxEntries = 5_000, maxAgeMs = 60_000, wallClock = Date.now, now = () => performance.now() } = options;
  const known = new Map<string, Remembered>();

  const isUsable = ({ keys, forgetAtMs, fromMs, untilMs }: Remembered, currentKeys: object): boolean => {
    const time = wallClock();
    return keys === currentKeys && now() < forgetAtMs && fromMs <= time && time <= untilMs;
  };

  return {
    /** Undefined for a token that has to be verified. `keys` are those of this moment. */
    find(token: string, keys: object): Principal | undefined {
      const digest = digestOf(token);
      const found = known.get(digest);
      if (found === undefined) return undefined;
      if (isUsable(found, keys)) return found.principal;
      known.delete(digest);
      return undefined;
    },

    /** To be called with the keys as they stood before the token was verified. */
    remember(token: string, keys: object, verified: Verified): void {
      const digest = digestOf(token);
      known.delete(digest);
      known.set(digest, { ...verified, keys, forgetAtMs: now() + maxAgeMs });
      for (const oldest of known.keys()) {
        if (known.size <= maxEntries) break;
        known.delete(oldest);
      }
    },

    size: (): number => known.size,
  };
}

// A digest keeps the token out of memory, and a comparison of digests tells nothing about a token.
const digestOf = (token: string): string => hash('sha256', token, 'base64url');
