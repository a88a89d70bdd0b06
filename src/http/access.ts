import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AuthenticationOptions, createAuthentication, requirePermission } from '../tokens/authentication.ts';
import { factsOf } from './request-facts.ts';
import { publicPermission } from './route-config.ts';

/**
 * Two guards. `authenticate` finds out who asks, or throws `unauthenticated`. `permit` throws `forbidden` unless the
 * token grants what the route declares. Public routes pass both, and nobody is known there.
 */
export async function createAccess(app: FastifyInstance, options: AuthenticationOptions) {
  const verify = await createAuthentication(app, options);
  return {
    async authenticate(request: FastifyRequest): Promise<void> {
      if (!isPublic(request)) factsOf(request.raw).principal = await verify(request);
    },
    permit(request: FastifyRequest): void {
      if (!isPublic(request)) requirePermission(factsOf(request.raw).principal, request.routeOptions.config.permission);
    },
  };
}

const isPublic = ({ routeOptions }: FastifyRequest): boolean => routeOptions.config.permission === publicPermission;
