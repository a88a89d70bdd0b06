import { boundedText } from './bounded-fetch.ts';
import { isProblem } from './outcome.ts';
import type { Item, ItemAnswer, Send, Sent } from './sender.ts';
import type { TokenSource } from './token.ts';

/** Above what a hundred answers take. */
const mostBytes = 4_194_304;

/** Sends batches to a Portico: one request each, and one more with a renewed token after a 401. */
export function createSend(options: {
  readonly url: string;
  readonly token: TokenSource;
  readonly onRequest: (seconds: number, answered: boolean) => void;
}): Send {
  const endpoint = new URL('v1/batch', options.url.endsWith('/') ? options.url : `${options.url}/`);

  async function once(body: string, signal: AbortSignal, renew: boolean): Promise<Sent> {
    const token = await options.token({ renew });
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
      // A token goes to nobody but the configured address.
      redirect: 'manual',
      signal,
    });
    return sentOf(response.status, parsed(await boundedText(response, mostBytes)));
  }

  return async (items: readonly Item[], signal) => {
    const startedAt = performance.now();
    const told = (sent: Sent): Sent => {
      options.onRequest((performance.now() - startedAt) / 1_000, sent.kind !== 'unanswered');
      return sent;
    };
    try {
      const body = JSON.stringify(items);
      const sent = await once(body, signal, false);
      return told(sent.kind === 'refused' && sent.status === 401 ? await once(body, signal, true) : sent);
    } catch (error) {
      return told({ kind: 'unanswered', reason: error instanceof Error ? error.message : 'unknown' });
    }
  };
}

function sentOf(status: number, body: unknown): Sent {
  if (status === 200 && Array.isArray(body)) return { kind: 'answers', answers: body as ItemAnswer[] };
  if (isProblem(body)) return { kind: 'refused', status, problem: body };
  return { kind: 'strange', status };
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
