import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Cost } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { factsOf } from './request-facts.ts';

/** Requests a second, averaged over ten; 0 for no limit. They count in this process alone. */
export interface RateLimits extends Readonly<Record<Cost, number>> {
  /** By address, for all requests, before the token is looked at. */
  readonly address: number;
  /** By address, for requests whose token is refused. */
  readonly refusals: number;
}

const windowSeconds = 10;

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Guards that throw `rate-limited`. One limits by address, one by tenant and subject with a limit for each cost; the
 * latter lets pass whoever is not known. `unlessRefusedOften` stands around the guard that looks at the token, and keeps
 * away from it an address of which too many tokens were refused.
 */
export async function createRateLimits(
  app: FastifyInstance,
  limits: RateLimits,
): Promise<{ byAddress: Guard; bySubject: Guard; unlessRefusedOften: (authenticate: Guard) => Guard }> {
  await app.register(rateLimit, { global: false });
  const byCost: Readonly<Record<Cost, Guard>> = {
    start: createLimit(app, limits.start, subjectOf),
    action: createLimit(app, limits.action, subjectOf),
    read: createLimit(app, limits.read, subjectOf),
    list: createLimit(app, limits.list, subjectOf),
  };
  return {
    byAddress: createLimit(app, limits.address),
    bySubject: async (request, reply) => {
      const { cost } = request.routeOptions.config;
      if (cost !== undefined && factsOf(request.raw).principal !== undefined) await byCost[cost](request, reply);
    },
    unlessRefusedOften: createRefusalLimit(app, limits.refusals),
  };
}

const windowOf = (perSecond: number) => ({ max: perSecond * windowSeconds, timeWindow: windowSeconds * 1_000 });

function createLimit(
  app: FastifyInstance,
  perSecond: number,
  keyGenerator?: (request: FastifyRequest) => string,
): Guard {
  if (perSecond === 0) return () => Promise.resolve();
  const count = app.createRateLimit({
    ...windowOf(perSecond),
    ...(keyGenerator === undefined ? {} : { keyGenerator }),
  });
  return async (request, reply) => {
    const counted = await count(request);
    if (counted.isAllowed) return;
    if (keyGenerator !== undefined) {
      reply.headers({
        'RateLimit-Limit': counted.max,
        'RateLimit-Remaining': counted.remaining,
        'RateLimit-Reset': counted.ttlInSeconds,
      });
    }
    if (counted.isExceeded) throw new Problem('rate-limited', { retryAfterMs: counted.ttl });
  };
}

/** Counts refusals alone: whoever has a valid token uses nothing up. Warns once, in case the address is a balancer's. */
function createRefusalLimit(app: FastifyInstance, perSecond: number): (authenticate: Guard) => Guard {
  if (perSecond === 0) return (authenticate) => authenticate;
  const count = app.createRateLimit(windowOf(perSecond));
  let isTold = false;
  const tellOnce = () => {
    if (!isTold) app.log.warn('an address has reached the limit of refused tokens: PORTICO_RATE_LIMIT_REFUSALS');
    isTold = true;
  };
  return (authenticate) => async (request, reply) => {
    const seen = await count(request, { increment: false });
    if (!seen.isAllowed && seen.remaining === 0) {
      tellOnce();
      throw new Problem('rate-limited', { retryAfterMs: seen.ttl });
    }
    try {
      await authenticate(request, reply);
    } catch (error) {
      if (error instanceof Problem && error.isRefusal) await count(request);
      throw error;
    }
  };
}

function subjectOf(request: FastifyRequest): string {
  const { principal } = factsOf(request.raw);
  return JSON.stringify([principal?.tenant, principal?.actor.iss, principal?.actor.sub]);
}
