import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import type { Cost } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { isSafe } from './error-handler.ts';

/** For routes that do not say, in milliseconds. */
const timeoutsMs: Readonly<Record<Cost, number>> = { read: 3_000, list: 3_000, start: 5_000, action: 5_000 };

/**
 * Gives every request a `signal` that aborts when its route's `handlerTimeout` is over or its caller is gone, and answers
 * for a handler that is late; what that one still gives is dropped. Fastify's own signal and time limit end with the
 * arrival of the body (https://github.com/fastify/fastify/pull/6725), which leaves a POST without both; these take
 * their place. How long a body may take to arrive is limited by the listener.
 */
export function limitHandlers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const timeoutMs = route.handlerTimeout ?? timeoutsMs[route.config?.cost ?? 'read'];
    delete route.handlerTimeout;
    route.handler = limited(route.handler, timeoutMs);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController();
    controllers.set(request, controller);
    Object.defineProperty(request, 'signal', { value: controller.signal });
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) controller.abort();
    });
    done();
  });
}

const controllers = new WeakMap<FastifyRequest, AbortController>();

function limited(handler: RouteHandlerMethod, timeoutMs: number): RouteHandlerMethod {
  return async function (request, reply) {
    const limit = startLimit(request, reply, timeoutMs);
    try {
      const result: unknown = handler.call(this, request, reply);
      // A handler without a result sends its reply by itself.
      return await Promise.race([Promise.resolve(result ?? reply), limit.isOver]);
    } finally {
      limit.stop();
    }
  };
}

function startLimit(request: FastifyRequest, reply: FastifyReply, timeoutMs: number) {
  let timer: NodeJS.Timeout | undefined;
  const isOver = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      // A reply that was taken over, such as a stream of events, has its own end.
      if (reply.sent) return;
      const problem = new Problem(isSafe(request) ? 'orchestration-timeout' : 'outcome-unknown');
      reject(problem);
      controllers.get(request)?.abort(problem);
    }, timeoutMs);
  });
  return { isOver, stop: () => clearTimeout(timer) };
}
