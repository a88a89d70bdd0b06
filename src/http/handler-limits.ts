import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';
import { isSafe } from './error-handler.ts';
import type { Cost } from './operation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How long the route may take, in milliseconds: what it gave as `handlerTimeout`. */
    readonly timeoutMs?: number;
  }
}

/** For routes that do not say. */
const timeoutsMs: Readonly<Record<Cost, number>> = { read: 3_000, list: 3_000, start: 5_000, action: 5_000 };

/**
 * Gives every request a `signal` that aborts when its route's `handlerTimeout` is over or its caller is gone, and answers
 * for a handler that is late. Fastify's own signal and time limit end with the arrival of the body
 * (https://github.com/fastify/fastify/pull/6725), which leaves a POST without both; these take their place.
 */
export function limitHandlers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { cost } = route.config ?? {};
    const timeoutMs = route.handlerTimeout ?? (cost === undefined ? undefined : timeoutsMs[cost]);
    route.config = { ...route.config, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    delete route.handlerTimeout;
  });
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController();
    Object.defineProperty(request, 'signal', { value: controller.signal });
    controllers.set(request, controller);
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) controller.abort();
    });
    done();
  });
  // From here on the body is there: how long that may take is limited by the listener.
  app.addHook('preValidation', (request, reply, done) => {
    limitHandler(request, reply);
    done();
  });
}

const controllers = new WeakMap<FastifyRequest, AbortController>();

function limitHandler(request: FastifyRequest, reply: FastifyReply): void {
  const { timeoutMs } = request.routeOptions.config;
  if (timeoutMs === undefined) return;
  const timer = setTimeout(() => {
    // A reply that was taken over, such as a stream of events, has its own end.
    if (reply.sent) return;
    const problem = new Problem(isSafe(request) ? 'orchestration-timeout' : 'outcome-unknown');
    void reply.send(problem);
    controllers.get(request)?.abort(problem);
  }, timeoutMs);
  reply.raw.once('finish', () => clearTimeout(timer));
  reply.raw.once('close', () => clearTimeout(timer));
}
