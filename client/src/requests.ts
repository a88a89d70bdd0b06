import { PorticoProblem, PorticoUnreachable } from './errors.ts';
import { exchange, type Fetch, type Incoming } from './exchange.ts';
import { createRetries, type RetryOptions } from './retry.ts';
import { pause, unlessAborted, within } from './time.ts';
import { createTokens, type TokenSource } from './tokens.ts';

export interface PorticoOptions {
  /** Where Portico is; a path in it stays in front of all others. */
  readonly baseUrl: string | URL;
  /** Asked for a token when one is needed, and for a new one once a token is refused. */
  readonly token: TokenSource;
  /** Used in place of the global `fetch`. */
  readonly fetch?: Fetch;
  /** `false`: each call is one request. */
  readonly retry?: RetryOptions | false;
  /** How long one attempt may take beside the wait that it asks for; 15,000 ms unless told. */
  readonly attemptMs?: number;
}

export interface Request {
  readonly method: string;
  /** Begins with a slash, and is encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body; `application/json` unless told. */
  readonly contentType?: string;
  /** How long Portico may hold its answer, in milliseconds. */
  readonly waitMs?: number;
  /** No attempt begins later than this after the first, in milliseconds, where the client allows that long at all. */
  readonly totalMs?: number;
  /** Whether it means the same when it is sent twice. */
  readonly isRepeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests with a token, and again where the verdict allows it. */
export function createRequests(options: PorticoOptions) {
  const { attemptMs = 15_000 } = options;
  // A browser's own `fetch` wants to be called as a function of the window.
  const fetchIt: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const base = String(options.baseUrl).replace(/\/+$/, '');
  const tokens = createTokens(options.token, attemptMs);
  const retries = createRetries(options.retry ?? {});

  function attempt(request: Request, token: string): Promise<Incoming> {
    const waitSeconds = Math.ceil((request.waitMs ?? 0) / 1_000);
    const limitMs = attemptMs + waitSeconds * 1_000;
    const onLate = () => new PorticoUnreachable(`Portico did not answer within ${limitMs} ms.`);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = {
      ...request.headers,
      Accept: 'application/json, application/problem+json',
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': request.contentType ?? 'application/json' }),
      ...(waitSeconds === 0 ? {} : { Prefer: `wait=${waitSeconds}` }),
    };
    return within({ signal: request.signal, limitMs, onLate }, (signal) =>
      exchange(fetchIt, { method: request.method, url: base + request.path, headers, body, signal }),
    );
  }

  /** One attempt; a token that is refused is renewed once. */
  async function attemptWithToken(request: Request): Promise<Incoming> {
    const token = await unlessAborted(tokens.get(), request.signal);
    try {
      return await attempt(request, token);
    } catch (error) {
      if (!(error instanceof PorticoProblem) || error.status !== 401) throw error;
      return attempt(request, await unlessAborted(tokens.renew(token), request.signal));
    }
  }

  /** Rejects with `PorticoProblem`, `PorticoUnreachable`, what the token source throws, or the signal's reason. */
  async function send(request: Request): Promise<Incoming> {
    const beganAtMs = performance.now();
    retries.earn();
    for (let number = 1; ; number += 1) {
      request.signal?.throwIfAborted();
      try {
        return await attemptWithToken(request);
      } catch (error) {
        const { isRepeatable, totalMs } = request;
        const made = { attempt: number, sinceMs: performance.now() - beganAtMs, isRepeatable, totalMs };
        const pauseMs = request.signal?.aborted ? undefined : retries.pauseAfter(error, made);
        if (pauseMs === undefined) throw error;
        await pause(pauseMs, request.signal);
      }
    }
  }

  return { send };
}

export type Requests = ReturnType<typeof createRequests>;
