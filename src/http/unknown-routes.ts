import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';
import { methods } from './methods.ts';
import { pathOf } from './request-target.ts';

/** The guard that throws `not-found`, or `method-not-allowed` with `Allow` where the address is known. */
export const refuseUnknownRoutes =
  (app: FastifyInstance) =>
  (request: FastifyRequest): void => {
    if (request.is404 || hasEmptyPart(request.params)) throwUnknownRoute(app, request);
  };

/** Throws `method-not-allowed` where the address has routes of other methods, else `not-found`. */
export function throwUnknownRoute(app: FastifyInstance, request: FastifyRequest): never {
  const url = pathOf(request.url);
  const allowed = methods.filter((method) => isKnown(app, method, url));
  if (allowed.length === 0) throw new Problem('not-found');
  throw new Problem('method-not-allowed', { headers: { Allow: allowed.join(', ') } });
}

function isKnown(app: FastifyInstance, method: (typeof methods)[number], url: string): boolean {
  // Its type says that it always finds a route; it does not.
  const found = [app.findRoute({ method, url })].filter(Boolean);
  return found.some(({ params }) => !hasEmptyPart(params));
}

/** The router takes `/v1/transfers/` for a transfer whose id is empty. A wildcard may be: it names nothing. */
function hasEmptyPart(params: unknown): boolean {
  const parts = Object(params) as Readonly<Record<string, unknown>>;
  for (const name in parts) if (parts[name] === '' && name !== '*') return true;
  return false;
}
