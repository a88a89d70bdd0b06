import type { FastifyInstance, FastifyRequest } from 'fastify';
import { perItem } from '../operations/operation.ts';
import { type AuthenticationOptions, createAuthentication, requirePermission } from '../tokens/authentication.ts';
import { factsOf, routeOf } from './request-facts.ts';
import { anyPermission, publicPermission } from './route-config.ts';

/**
 * Two guards. `authenticate` finds out who asks, or throws `unauthenticated`. `permit` throws `forbidden` unless the
 * token grants what the route declares. Public routes pass both, and nobody is known there. Routes for any token pass the
 * second, as do those that take items, which are permitted one by one.
 */
export async function createAccess(app: FastifyInstance, options: AuthenticationOptions) {
  const verify = await createAuthentication(app, options);
  return {
    authenticate(request: FastifyRequest): Promise<void> | undefined {
      if (isPublic(request)) return undefined;
      const facts = factsOf(request.raw);
      const principal = verify(request);
      if (principal instanceof Promise) return principal.then((verified) => void (facts.principal = verified));
      facts.principal = principal;
      return undefined;
    },
    permit(request: FastifyRequest): void {
      const { permission } = routeOf(request).config;
      const { principal } = factsOf(request.raw);
      if (permission === publicPermission) return;
      const asksForToken = permission === anyPermission || permission === perItem;
      if (!asksForToken || principal === undefined) requirePermission(principal, permission);
    },
  };
}

const isPublic = (request: FastifyRequest): boolean => routeOf(request).config.permission === publicPermission;
