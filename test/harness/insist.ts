import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from './caller.ts';

/**
 * Asks until an answer says that the same request need not be sent again, as a patient caller does. `onRetry` is told of
 * every other answer: after one that leaves the outcome unknown, the last answer need not be the one to the first request.
 */
export async function insist(ask: () => Promise<Reply>, onRetry: (why: string) => void = () => undefined) {
  for (;;) {
    const reply = await ask().catch((error: unknown) => {
      // The process was killed, or does not listen yet.
      if (error instanceof TypeError && error.cause !== undefined) return undefined;
      throw error;
    });
    if (reply !== undefined && (reply.status < 400 || reply.body.retryable === false)) return reply;
    onRetry(reply === undefined ? 'no answer' : `${reply.status} ${String(reply.body.code)}`);
    await sleep(100);
  }
}
