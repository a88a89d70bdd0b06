import { createPortico, PorticoProblem, PorticoUnreachable } from '../client/src/index.ts';
import type { ItemAnswer, ItemText, Send, Sent } from './sender.ts';
import type { TokenSource } from './token.ts';

/** More than any limit that the relay is given. */
const longestMs = 60_000;

/**
 * Sends batches to a Portico through its client: one request each, and one more with a renewed token after a 401. How
 * long a request may take is the signal's alone.
 */
export function createSend(options: {
  readonly url: string;
  readonly token: TokenSource;
  readonly onRequest: (seconds: number, answered: boolean) => void;
}): Send {
  const tokenFaults = new WeakSet<Error>();
  async function token(asked: { readonly renew: boolean }): Promise<string> {
    try {
      return await options.token(asked);
    } catch (cause) {
      const fault = new Error('there is no token', { cause });
      tokenFaults.add(fault);
      throw fault;
    }
  }

  /**
   * A client keeps its token until a 401. Each request has its own, so that one with more rights is taken at once. Bodies
   * are sent as the table has them: read and written again, large numbers would be others.
   */
  function clientOf(items: readonly ItemText[]) {
    let isOpen = false;
    const portico = createPortico({
      ...{ baseUrl: options.url, retry: false, attemptMs: longestMs, token },
      async fetch(url, init) {
        isOpen = true;
        const response = await fetch(url, { ...init, body: `[${items.join(',')}]` });
        isOpen = response.status !== 401;
        return response;
      },
    });
    return { portico, /** Whether something may have come of the items. */ isOpen: () => isOpen };
  }

  function sentOf(error: unknown, isOpen: boolean): Sent {
    if (error instanceof PorticoProblem) {
      const retryAfterMs = error.retry.retryAfterMs === undefined ? {} : { retryAfterMs: error.retry.retryAfterMs };
      return { kind: 'refused', status: error.status, problem: { ...error.problem, ...retryAfterMs } };
    }
    if (error instanceof Error && (tokenFaults.has(error) || !isOpen)) {
      return { kind: 'tokenless', reason: error.message };
    }
    if (error instanceof PorticoUnreachable && error.status !== undefined) {
      return { kind: 'strange', status: error.status };
    }
    return { kind: 'unanswered', reason: error instanceof Error ? error.message : 'unknown' };
  }

  return async (items, signal) => {
    const { portico, isOpen } = clientOf(items);
    const startedAt = performance.now();
    let sent: Sent;
    try {
      const answers: unknown = await portico.batch([], { signal });
      sent = Array.isArray(answers)
        ? { kind: 'answers', answers: answers as ItemAnswer[] }
        : { kind: 'strange', status: 200 };
    } catch (error) {
      sent = sentOf(error, isOpen());
    }
    options.onRequest((performance.now() - startedAt) / 1_000, ['answers', 'refused', 'strange'].includes(sent.kind));
    return sent;
  };
}
