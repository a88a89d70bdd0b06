import { readFile } from 'node:fs/promises';
import { boundedText } from './bounded-fetch.ts';

/** Gives the token of the relay's tenant. With `renew` the one before was refused. May reject, without naming a token. */
export type TokenSource = (options: { readonly renew: boolean }) => Promise<string>;

/** The token in a file, read for every request: whoever renews it replaces the file. */
export const tokenFromFile =
  (path: string): TokenSource =>
  async () => {
    const token = await readFile(path, 'utf8').catch(() => {
      throw new Error('the file of the token cannot be read');
    });
    return usable(token.trim());
  };

/** A token that never changes. */
export const fixedToken =
  (token: string): TokenSource =>
  () =>
    Promise.resolve(usable(token));

const soonMs = 60_000;
const limitMs = 10_000;
const mostBytes = 65_536;

/** Tokens by client credentials (RFC 6749, section 4.4), each kept until a minute before it expires or is refused. */
export function tokenFromOAuth(options: {
  /** `https:`, or the client's secret would be readable on its way. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string | undefined;
}): TokenSource {
  const { url, clientId, clientSecret, scope } = options;
  if (new URL(url).protocol !== 'https:') throw new Error('the token endpoint must be https');
  let kept: { readonly token: string; readonly goodUntil: number } | undefined;
  let asking: Promise<string> | undefined;

  async function ask(): Promise<string> {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${formOf(clientId)}:${formOf(clientSecret)}`).toString('base64')}`,
        accept: 'application/json',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    }).catch((error: unknown) => {
      throw new Error('the token endpoint does not answer', { cause: error });
    });
    const text = await boundedText(response, mostBytes);
    if (!response.ok) throw new Error(`the token endpoint answered ${response.status}`);
    const { token, lastsMs } = grantOf(text);
    kept = { token, goodUntil: performance.now() + lastsMs - Math.min(soonMs, lastsMs / 2) };
    return token;
  }

  return ({ renew }) => {
    if (!renew && kept !== undefined && performance.now() < kept.goodUntil) return Promise.resolve(kept.token);
    // One question for all who wait.
    asking ??= ask().finally(() => (asking = undefined));
    return asking;
  };
}

const formOf = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);

function grantOf(text: string | undefined): { token: string; lastsMs: number } {
  let answer: unknown;
  try {
    answer = JSON.parse(text ?? '');
  } catch {
    answer = undefined;
  }
  const { access_token: token, expires_in: seconds = 300 } = (answer ?? {}) as Record<string, unknown>;
  if (typeof token !== 'string' || !Number.isFinite(Number(seconds)))
    throw new Error('the token endpoint answered no token');
  return { token: usable(token), lastsMs: Number(seconds) * 1_000 };
}

function usable(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('the token is empty or has characters that no header can carry');
  return token;
}
