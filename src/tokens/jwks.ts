import { createRemoteJWKSet, customFetch, errors, exportSPKI } from 'jose';
import { z } from 'zod';
import { type Algorithm, algorithmsOfPublicKey } from '../config/key-algorithms.ts';
import type { Logger } from '../observability/logger.ts';
import { Problem } from '../problems.ts';
import { maxSkew } from './claims.ts';
import type { KeyQuestion, VerificationKeys } from './verification-keys.ts';

/** Where the public keys of an issuer are, and how long what was fetched is good for. Times are in milliseconds. */
export interface JwksOptions {
  readonly url: string;
  /** Accepted algorithms, the preferred first: an RSA key without `alg` is used with the first RSA algorithm only. */
  readonly algorithms: readonly Algorithm[];
  readonly logger: Pick<Logger, 'warn'>;
  /** How long a fetch may take; shorter than a read may. */
  readonly timeoutMs?: number;
  /** Between two fetches at least, however many unknown key ids are asked for. */
  readonly cooldownMs?: number;
  /** The same while no keys were ever fetched. */
  readonly firstCooldownMs?: number;
  /** After how long keys are used no more before they were fetched again. That is begun after four fifths of it. */
  readonly maxAgeMs?: number;
  /** How long keys are used on while the issuer cannot be reached. */
  readonly maxStaleMs?: number;
  /** A clock that never goes back, in milliseconds. */
  readonly now?: () => number;
  /** The time of day, in milliseconds of the epoch. */
  readonly wallClock?: () => number;
}

/**
 * The keys of a JWKS URL. A new key is found when a token names it; a removed one stops counting within `maxAgeMs`,
 * unless the issuer cannot be reached: then what is known is used for `maxStaleMs`. Each key serves one algorithm.
 * `keyFor` throws the problem `keys-unavailable` in two cases: an outage makes an answer impossible, or a token that is
 * younger than the keys names an unknown one, and it is too early to fetch them again. Anybody can name an unknown key, so
 * that problem counts as a refusal.
 */
export function createJwks(options: JwksOptions): VerificationKeys {
  const { cooldownMs = 30_000, firstCooldownMs = 2_000, maxAgeMs = 600_000, maxStaleMs = 3_600_000 } = options;
  const { now = () => performance.now(), wallClock = Date.now } = options;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  /** By the time of day. What the issuer publishes later, this fetch has not seen. */
  let askedAtWallMs = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let isOut = false;
  let running: Promise<void> | undefined;

  const remote = remoteSetOf(options);
  const pems = createPems(remote);
  const ageMs = () => now() - fetchedAt;
  const refreshAtMs = 0.8 * maxAgeMs;

  /** The fetch that runs, or a new one if it is time for one. Never rejects: an outage shows in `isOut`. */
  function refresh(): Promise<void> | undefined {
    const waitMs = Number.isFinite(fetchedAt) ? cooldownMs : firstCooldownMs;
    if (running !== undefined || now() - triedAt < waitMs) return running;
    triedAt = now();
    running = fetchKeys();
    return running;
  }

  async function fetchKeys(): Promise<void> {
    const askingAtWallMs = wallClock();
    try {
      await remote.reload();
      pems.forget();
      fetchedAt = now();
      askedAtWallMs = askingAtWallMs;
      isOut = false;
    } catch (error) {
      isOut = true;
      options.logger.warn({ err: error }, 'the keys that verify tokens cannot be fetched');
    } finally {
      running = undefined;
    }
  }

  /** Once an outage is known, nobody waits for the next attempt while there are keys to go on with. */
  const areAtHand = () => ageMs() < maxAgeMs || (isOut && ageMs() < maxStaleMs);

  async function ensureKeys(): Promise<void> {
    if (ageMs() < refreshAtMs) return;
    const refreshed = refresh();
    if (!areAtHand()) await refreshed;
    if (ageMs() >= maxStaleMs) throw new Problem('keys-unavailable');
  }

  async function keyFor(question: KeyQuestion): Promise<string> {
    await ensureKeys();
    try {
      return await pems.find(question);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const refreshed = refresh();
      const isRefused = refreshed === undefined && !isOut;
      if (isRefused && !isYounger(question, askedAtWallMs, wallClock())) throw error;
      if (isRefused) throw new Problem('keys-unavailable', { isRefusal: true, cause: error });
      await refreshed;
      if (isOut) throw new Problem('keys-unavailable', { isRefusal: true, cause: error });
      return pems.find(question);
    }
  }

  return { keyFor, current: () => (areAtHand() ? pems.current() : undefined), check: ensureKeys };
}

// When to fetch is decided above: jose would ask again for every token while the issuer is away.
const remoteSetOf = ({ url: setUrl, algorithms, timeoutMs = 2_500 }: JwksOptions) =>
  createRemoteJWKSet(new URL(setUrl), {
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
    timeoutDuration: timeoutMs,
    [customFetch]: async (url, init) => pinned(await fetchSet(url, init), algorithms),
  });

/**
 * Whether a token was issued after the keys were asked for, so that its key may be new. The token says so itself and
 * nobody has verified it: this chooses between two refusals, and never begins a fetch.
 */
function isYounger({ issuedAt }: KeyQuestion, askedAtWallMs: number, nowMs: number): boolean {
  if (issuedAt === undefined || issuedAt > nowMs / 1_000 + maxSkew) return false;
  // Issuers cut the fraction of the second off.
  return (issuedAt + 1) * 1_000 > askedAtWallMs;
}

/** The PEM of each key that was asked for, until the set is fetched anew. */
function createPems(remote: ReturnType<typeof createRemoteJWKSet>) {
  let known = new Map<string, string>();
  return {
    forget: (): void => void (known = new Map()),

    /** Another object as soon as the set was fetched anew. */
    current: (): object => known,

    /** Throws `JWKSNoMatchingKey` if the set has no such key, or one for other algorithms. */
    async find(question: KeyQuestion): Promise<string> {
      // A key of the old set must not be remembered as one of the new.
      const ofThisSet = known;
      const name = JSON.stringify([question.kid, question.alg]);
      const found = ofThisSet.get(name);
      if (found !== undefined) return found;
      const pem = await exportSPKI(await remote({ ...question }));
      if (!algorithmsOfPublicKey(pem).includes(question.alg)) throw new errors.JWKSNoMatchingKey();
      ofThisSet.set(name, pem);
      return pem;
    },
  };
}

const maxResponseBytes = 262_144;

const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string(), alg: z.string().optional() })) });

type KeySet = z.output<typeof keySet>;

/** Redirects are not followed, and what is longer than a key set can be is not read. */
async function fetchSet(url: string, init: RequestInit): Promise<KeySet> {
  const response = await fetch(url, init);
  if (response.status !== 200 || response.body === null) throw new Error(`the key set answered ${response.status}`);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const chunk of response.body) {
    text += decoder.decode(z.instanceof(Uint8Array).parse(chunk), { stream: true });
    if (text.length > maxResponseBytes) throw new Error('the key set is too large');
  }
  return keySet.parse(JSON.parse(text));
}

/** Gives RSA keys that name no algorithm the one that is preferred, so that no key serves two. */
function pinned({ keys }: KeySet, algorithms: readonly Algorithm[]): Response {
  const preferred = algorithms.find((algorithm) => /^[RP]S/.test(algorithm));
  return Response.json({
    keys: keys.map((key) => (key.kty === 'RSA' && key.alg === undefined ? { ...key, alg: preferred } : key)),
  });
}
