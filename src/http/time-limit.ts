import type { FastifyReply } from 'fastify';
import { Problem } from '../problems.ts';
import type { Operation } from './operation.ts';

/** Time for a handler beyond the wait asked for, in milliseconds: longer than the deadlines of its calls together. */
const limitsMs: Readonly<Record<Operation['cost'], number>> = {
  read: 6_000,
  list: 6_000,
  start: 8_000,
  action: 12_000,
};

/** How long the handler of an operation may take at most, in milliseconds. */
export const timeLimitOf = ({ cost, canWait }: Operation, maxWaitMs: number): number =>
  limitsMs[cost] + (canWait ? maxWaitMs : 0);

/**
 * Runs a handler with a signal that aborts when the caller is gone or the time is up; then the caller gets
 * `outcome-unknown` for what may have changed something, `overloaded` for the rest.
 *
 * Fastify's own `request.signal` and handler timeout will not do: they follow the close of the incoming message, and
 * Node closes that as soon as the body has been read (seen with fastify 5.12.8 on Node 20).
 */
export async function withinTime<T>(
  operation: Operation,
  reply: FastifyReply,
  limitMs: number,
  handler: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const onClose = () => controller.abort();
  reply.raw.once('close', onClose);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Problem(operation.method === 'GET' ? 'overloaded' : 'outcome-unknown'));
      controller.abort();
    }, limitMs);
  });
  const answer = handler(controller.signal);
  // Whoever loses the race fails unheard.
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
    reply.raw.off('close', onClose);
  }
}
