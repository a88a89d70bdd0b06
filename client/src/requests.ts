import { PorticoProblem, PorticoUnreachable } from './errors.ts';
import { exchange, type Fetch, type Incoming, type Outgoing } from './exchange.ts';
import { createRetries, type RetryOptions } from './retry.ts';
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
  readonly contentType?: string;
  /** How long Portico may hold its answer, in milliseconds. */
  readonly waitMs?: number;
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
  const tokens = createTokens(options.token);
  const retries = createRetries(options.retry ?? {});

  async function attempt(request: Request, token: string): Promise<Incoming> {
    const timeMs = attemptMs + (request.waitMs ?? 0);
    const time = AbortSignal.timeout(timeMs);
    const signal = request.signal === undefined ? time : AbortSignal.any([time, request.signal]);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const outgoing: Outgoing = {
      ...{ method: request.method, url: base + request.path, body, signal },
      headers: {
        ...request.headers,
        Accept: 'application/json, application/problem+json',
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': request.contentType ?? 'application/json' }),
        ...(request.waitMs ? { Prefer: `wait=${Math.ceil(request.waitMs / 1_000)}` } : {}),
      },
    };
    try {
      return await exchange(fetchIt, outgoing);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (!time.aborted || !(error instanceof PorticoUnreachable)) throw error;
      throw new PorticoUnreachable(`Portico did not answer within ${timeMs} ms.`, { cause: error.cause });
    }
  }

  /** One attempt; a token that is refused is renewed once. */
  async function attemptWithToken(request: Request): Promise<Incoming> {
    const token = await tokens.get();
    try {
      return await attempt(request, token);
    } catch (error) {
      if (!(error instanceof PorticoProblem) || error.status !== 401) throw error;
      return attempt(request, await tokens.renew(token));
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
        const made = { attempt: number, sinceMs: performance.now() - beganAtMs, isRepeatable: request.isRepeatable };
        const pauseMs = request.signal?.aborted ? undefined : retries.pauseAfter(error, made);
        if (pauseMs === undefined) throw error;
        await pause(pauseMs, request.signal);
      }
    }
  }

  return { send };
}

export type Requests = ReturnType<typeof createRequests>;

/** Resolves after so many milliseconds. Rejects with the reason of the signal. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
