import { PorticoProblem, PorticoUnreachable, type ProblemBody } from './errors.ts';

/** The part of `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Outgoing {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** What ends it: the caller, or the time for one attempt. */
  readonly signal: AbortSignal;
}

export interface Incoming {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Longer answers are not Portico's. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Sends once. Throws `PorticoProblem` or `PorticoUnreachable`. */
export async function exchange(fetchIt: Fetch, outgoing: Outgoing): Promise<Incoming> {
  const { url, body, ...rest } = outgoing;
  let response: Response;
  let text: string;
  try {
    response = await fetchIt(url, { ...rest, ...(body === undefined ? {} : { body }), redirect: 'manual' });
    text = await textOf(response);
  } catch (error) {
    // What `fetch` says may name headers: it is a cause, and no part of the message.
    throw new PorticoUnreachable('Portico did not answer.', { cause: causeOf(error) });
  }
  const { status, headers } = response;
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  const content = type === 'application/json' || type === 'application/problem+json' ? parsed(text) : undefined;
  // Without a body only 204 is Portico's: what stands between may answer 200 with nothing, and nothing was done then.
  if (status === 204) return { status, headers, body: undefined };
  if (response.ok && typeof content === 'object' && content !== null) return { status, headers, body: content };
  if (type === 'application/problem+json' && isProblem(content)) {
    throw new PorticoProblem(content, retryAfterOf(headers));
  }
  const retryAfterMs = retryAfterOf(headers);
  throw new PorticoUnreachable(`Something else than Portico answered with ${status}.`, {
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

async function textOf(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = '';
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > maxAnswerBytes) {
      await reader.cancel();
      throw new Error('the answer is too long');
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The name and the code of an error, without its message: that may hold what was sent. */
function causeOf(error: unknown): unknown {
  const { name, code, cause } = Object(error) as { name?: unknown; code?: unknown; cause?: unknown };
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    ...(cause instanceof Error ? { cause: causeOf(cause) } : {}),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isProblem(content: unknown): content is ProblemBody {
  const { code, status, retryable } = Object(content) as Partial<Record<string, unknown>>;
  return typeof code === 'string' && typeof status === 'number' && typeof retryable === 'boolean';
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? 1_000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
