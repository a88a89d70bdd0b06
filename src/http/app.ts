import type { FastifyInstance } from 'fastify';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { usualMaxBodyBytes } from '../operations/operation.ts';
import type { AuthenticationOptions } from '../tokens/authentication.ts';
import { createAccess } from './access.ts';
import { refuseWhileClosing } from './closing.ts';
import { limitConnections } from './connection-limits.ts';
import { answerPreflights, crossOriginFor } from './cross-origin.ts';
import { noticeForwarding } from './forwarding.ts';
import { type Guard, passAll } from './guards.ts';
import { refuseWrongHost } from './host-header.ts';
import { limitItemBodies } from './item-room.ts';
import { acceptOnlyJson, inviteBody } from './json-body.ts';
import { type Pressure, shedUnderPressure } from './pressure.ts';
import { createRateLimits, type RateLimits } from './rate-limit.ts';
import { refuseRepeatedParameters } from './request-target.ts';
import { refuseWithoutRoom } from './room.ts';
import { guardRoutes } from './route-config.ts';
import { createServer } from './server.ts';
import { refuseUnknownRoutes } from './unknown-routes.ts';

export interface AppOptions {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'observeRequest' | 'countDroppedConnection'>;
  readonly authentication: AuthenticationOptions;
  readonly rateLimits: RateLimits;
  readonly pressure: Pressure;
  /** Addresses and CIDR blocks of the proxies whose `X-Forwarded-*` is believed; none if empty. */
  readonly trustProxy: readonly string[];
  /** Origins whose pages may call and read the answers; none if empty. */
  readonly corsOrigins: readonly string[];
  /** Open connections from one address at most, but for those proxies; 0 for no limit. */
  readonly maxConnectionsPerAddress: number;
  /** The longest that a handler may take before its answer begins; milliseconds. */
  readonly longestAnswerMs: number;
  /** True once the process is asked to stop: connections are then closed after each answer. */
  readonly isDraining: () => boolean;
}

/**
 * The HTTP app without routes and without a listener. Routes added to it declare their permission (`route-config.ts`),
 * else it does not start. A request passes the guards; only then is its body read.
 */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { logger, metrics, trustProxy, longestAnswerMs, maxConnectionsPerAddress } = options;
  const crossOrigin = crossOriginFor(options.corsOrigins);
  const app = createServer({
    logger,
    metrics,
    trustProxy,
    crossOrigin,
    // While an answer is prepared its connection is silent.
    quietMs: Math.max(35_000, longestAnswerMs + 5_000),
    maxBodyBytes: usualMaxBodyBytes,
  });
  limitConnections(app, {
    max: 2_000,
    maxPerAddress: maxConnectionsPerAddress,
    proxies: trustProxy,
    countDropped: metrics.countDroppedConnection,
  });
  guardRoutes(app);
  acceptOnlyJson(app);
  const guards = await createGuards(app, options);
  app.addHook('onRequest', passAll(guards));
  if (crossOrigin !== undefined) answerPreflights(app, crossOrigin);
  return app;
}

/** What a request passes before its body is read, in this order. */
async function createGuards(app: FastifyInstance, options: AppOptions): Promise<readonly Guard[]> {
  const notClosing = refuseWhileClosing(app, options.isDraining);
  const shed = await shedUnderPressure(app, options.pressure);
  const limit = createRateLimits(app.log, options.rateLimits);
  const knownRoute = refuseUnknownRoutes(app);
  const { authenticate, permit } = await createAccess(app, options.authentication);
  return [
    notClosing,
    shed,
    limit.byAddress,
    noticeForwarding(options.logger, options.trustProxy),
    refuseWrongHost,
    knownRoute,
    limit.unlessRefusedOften(authenticate),
    limit.bySubject,
    permit,
    refuseRepeatedParameters,
    refuseWithoutRoom,
    limitItemBodies(),
    inviteBody,
  ];
}
