import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import type { Cost } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';
import { createCounter } from './fixed-window.ts';
import type { Guard } from './guards.ts';
import { factsOf, routeOf } from './request-facts.ts';

/** Requests a second, averaged over ten; 0 for no limit. They count in this process alone. */
export interface RateLimits extends Readonly<Record<Cost, number>> {
  /** By address, for all requests, before the token is looked at. */
  readonly address: number;
  /** By address, for requests whose token is refused. */
  readonly refusals: number;
}

const windowSeconds = 10;

/**
 * Guards that throw `rate-limited`. One limits by address, one by tenant and subject with a limit for each cost; the
 * latter lets pass whoever is not known, and what takes items, of which each counts when it is asked. `unlessRefusedOften` stands around the guard that looks at the token, and keeps
 * away from it an address of which too many tokens were refused.
 */
export function createRateLimits(
  log: Pick<FastifyBaseLogger, 'warn'>,
  limits: RateLimits,
): { byAddress: Guard; bySubject: Guard; unlessRefusedOften: (authenticate: Guard) => Guard } {
  const addressOf = createAddresses();
  const byCost: Readonly<Record<Cost, ReturnType<typeof createSubjectLimit>>> = {
    start: createSubjectLimit(limits.start),
    action: createSubjectLimit(limits.action),
    read: createSubjectLimit(limits.read),
    list: createSubjectLimit(limits.list),
  };
  return {
    byAddress: createAddressLimit(limits.address, addressOf),
    bySubject: (request, reply) => {
      const { cost, takesItems } = routeOf(request).config;
      const facts = factsOf(request.raw);
      const { principal } = facts;
      if (cost === undefined || principal === undefined) return;
      if (takesItems !== true) {
        byCost[cost].pass(principal, reply);
        return;
      }
      // Before the body is read, which costs more than all the refusals of its items.
      const leftMs = Math.min(byCost.start.exhaustedMs(principal), byCost.action.exhaustedMs(principal));
      if (leftMs > 0) throw new Problem('rate-limited', { retryAfterMs: leftMs });
      facts.limitItem = (costOfItem) => byCost[costOfItem].pass(principal);
    },
    unlessRefusedOften: createRefusalLimit(log, limits.refusals, addressOf),
  };
}

const counterOf = (perSecond: number) =>
  createCounter({ max: perSecond * windowSeconds, windowMs: windowSeconds * 1_000 });

function createAddressLimit(perSecond: number, addressOf: (request: FastifyRequest) => string): Guard {
  if (perSecond === 0) return () => undefined;
  const { count } = counterOf(perSecond);
  return (request) => {
    const { isExceeded, leftMs } = count(addressOf(request));
    if (isExceeded) throw new Problem('rate-limited', { retryAfterMs: leftMs });
  };
}

/** The limit of one cost. */
interface SubjectLimit {
  /** Counts one, or throws `rate-limited`. An item has no reply of its own to carry headers. */
  readonly pass: (principal: Principal, reply?: FastifyReply) => void;
  /** For how long nothing passes any more, in milliseconds; 0 where something does. Counts nothing. */
  readonly exhaustedMs: (principal: Principal) => number;
}

function createSubjectLimit(perSecond: number): SubjectLimit {
  if (perSecond === 0) return { pass: () => undefined, exhaustedMs: () => 0 };
  const { max, count, look } = counterOf(perSecond);
  return {
    pass(principal, reply) {
      const { isExceeded, remaining, leftMs } = count(subjectOf(principal));
      if (reply !== undefined) {
        reply.header('RateLimit-Limit', max);
        reply.header('RateLimit-Remaining', remaining);
        reply.header('RateLimit-Reset', Math.ceil(leftMs / 1_000));
      }
      if (isExceeded) throw new Problem('rate-limited', { retryAfterMs: leftMs });
    },
    exhaustedMs(principal) {
      const { remaining, leftMs } = look(subjectOf(principal));
      return remaining === 0 ? leftMs : 0;
    },
  };
}

/** Counts refusals alone: whoever has a valid token uses nothing up. Warns once, in case the address is a balancer's. */
function createRefusalLimit(
  log: Pick<FastifyBaseLogger, 'warn'>,
  perSecond: number,
  addressOf: (request: FastifyRequest) => string,
): (authenticate: Guard) => Guard {
  if (perSecond === 0) return (authenticate) => authenticate;
  const { count, look } = counterOf(perSecond);
  let isTold = false;
  const tellOnce = () => {
    if (!isTold) log.warn('an address has reached the limit of refused tokens: PORTICO_RATE_LIMIT_REFUSALS');
    isTold = true;
  };
  const counted = (error: unknown, address: string): unknown => {
    if (error instanceof Problem && error.isRefusal) count(address);
    return error;
  };
  return (authenticate) => (request, reply) => {
    const address = addressOf(request);
    const { remaining, leftMs } = look(address);
    if (remaining === 0) {
      tellOnce();
      throw new Problem('rate-limited', { retryAfterMs: leftMs });
    }
    try {
      return authenticate(request, reply)?.catch((error: unknown) => {
        throw counted(error, address);
      });
    } catch (error) {
      throw counted(error, address);
    }
  };
}

/** No tenant and no subject has a line break in it. */
const subjectOf = ({ tenant, actor }: Principal): string => `${tenant}\n${actor.sub}\n${actor.iss}`;

const maxAddressesKnown = 5_000;

/** Gives the address that a request counts for: one /64 of IPv6 is one caller. Parsing costs more than remembering. */
function createAddresses(): (request: FastifyRequest) => string {
  const known = new Map<string, string>();
  return ({ ip }) => {
    const found = known.get(ip);
    if (found !== undefined) return found;
    if (known.size >= maxAddressesKnown) known.clear();
    const address = normalizeIP(ip);
    known.set(ip, address);
    return address;
  };
}
