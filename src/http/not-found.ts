import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';
import { pathOf } from './error-handler.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/**
 * Throws `not-found`, or `method-not-allowed` with `Allow` where the address is known. It runs before anything else
 * looks at the request: a body that nobody asked for is not read.
 */
export function refuseUnknownRoute(app: FastifyInstance, request: FastifyRequest): void {
  if (!request.is404) return;
  const url = pathOf(request.url);
  // Its type says that `findRoute` always finds; it does not.
  const allowed = methods.filter((method) => Boolean(app.findRoute({ method, url })));
  if (allowed.length === 0) throw new Problem('not-found');
  throw new Problem('method-not-allowed', { headers: { Allow: allowed.join(', ') } });
}
