import type { FastifyRequest } from 'fastify';
import type { Guard } from './guards.ts';
import { factsOf, routeOf } from './request-facts.ts';

/** The tenant of a request; empty where nobody is known, which no tenant's name is. */
export const tenantOf = ({ raw }: FastifyRequest): string => factsOf(raw).principal?.tenant ?? '';

/**
 * The guard that throws `overloaded` before the body is read, where the request would get no turn at once or in time. The
 * turn itself is given when the handler begins, so that a body which is slow to come keeps nobody waiting.
 */
export const refuseWithoutRoom: Guard = (request) => routeOf(request).config.gate?.look(tenantOf(request));
