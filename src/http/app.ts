import { fastify, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Problem } from '../problems.ts';
import { type AuthenticationOptions, createAuthentication, requirePermission } from '../tokens/authentication.ts';
import { createClientErrors } from './client-errors.ts';
import { handleError } from './error-handler.ts';
import { limitHandlers } from './handler-limits.ts';
import { acceptOnlyJson } from './json-body.ts';
import { type Pressure, shedUnderPressure } from './pressure.ts';
import { parseQuery, refuseRepeatedParameters } from './query.ts';
import { createRateLimits, type RateLimits } from './rate-limit.ts';
import { requestIdOf } from './request-id.ts';
import { logRequests, logWhenOver } from './request-log.ts';
import { guardRoutes, publicPermission } from './route-config.ts';
import { securityHeaders, strictTransport } from './security-headers.ts';
import { refuseUnknownRoute } from './unknown-routes.ts';
import { closeUnusedConnections } from './unused-connections.ts';

export interface AppOptions {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'observeRequest'>;
  readonly authentication: AuthenticationOptions;
  readonly rateLimits: RateLimits;
  readonly pressure: Pressure;
  /** Addresses and CIDR blocks of the proxies whose `X-Forwarded-*` is believed; none if empty. */
  readonly trustProxy: readonly string[];
  /** The longest that a handler may take before its answer begins; milliseconds. */
  readonly longestAnswerMs: number;
  /** True once the process is asked to stop: connections are then closed after each answer. */
  readonly isDraining: () => boolean;
}

/**
 * The HTTP app without routes and without a listener. Routes added to it declare their permission (`route-config.ts`),
 * else it does not start. A request passes, in this order: shedding, the limit by address, 404 and 405, the token, the
 * limit by subject, the permission; only then is its body read.
 */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { metrics } = options;
  const clientErrors = createClientErrors(metrics, options.logger);
  const loggerInstance: FastifyBaseLogger = options.logger;
  const app = fastify({
    ...connectionLimits,
    connectionTimeout: Math.max(quietMs, options.longestAnswerMs + 5_000),
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    trustProxy: options.trustProxy.length > 0 && [...options.trustProxy],
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: 512, querystringParser: parseQuery },
    bodyLimit: 65_536,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // Fastify's own answer while it closes is no problem: `refuseWhileClosing` gives it.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: clientErrors.handle,
    frameworkErrors: (error, request, reply) => {
      logWhenOver(metrics, request, reply);
      reply.headers(headersFor(request));
      handleError(error, request, reply);
    },
  });
  app.server.maxConnections = 2_000;
  // A caller may expect what it likes; RFC 9110, 10.1.1 lets a server ignore all but 100-continue.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  clientErrors.watch(app);
  closeUnusedConnections(app);

  guardRoutes(app);
  acceptOnlyJson(app);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler(() => {
    throw new Problem('not-found');
  });
  logRequests(app, metrics);
  limitHandlers(app);
  await guardRequests(app, options);
  return app;
}

/** Every stage that a request passes before its body is read. */
async function guardRequests(app: FastifyInstance, options: AppOptions): Promise<void> {
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headersFor(request));
    done(isClosing ? new Problem('overloaded') : undefined);
  });
  // Not before: a request may have come long before we were asked to stop.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing || options.isDraining()) reply.header('Connection', 'close');
    done(null, payload);
  });
  await shedUnderPressure(app, options.pressure);
  const limits = await createRateLimits(app, options.rateLimits);
  const authenticate = await createAuthentication(app, options.authentication);
  app.addHook('onRequest', async (request, reply) => {
    await limits.byAddress(request, reply);
    refuseUnknownRoute(app, request);
    if (request.routeOptions.config.permission !== publicPermission) {
      await authenticate(request);
      await limits.bySubject(request, reply);
      requirePermission(request);
    }
    refuseMissingHost(request);
    refuseRepeatedParameters(request);
  });
}

const headersFor = (request: FastifyRequest): Record<string, string> => ({
  ...securityHeaders,
  ...(request.protocol === 'https' ? strictTransport : {}),
  'X-Request-Id': request.id,
});

/** RFC 9112, 3.2. Node would refuse by itself, with an empty answer. */
function refuseMissingHost({ raw }: FastifyRequest): void {
  if (raw.headers.host === undefined && raw.httpVersion === '1.1') {
    throw new Problem('malformed-request', { detail: 'The Host header is missing.' });
  }
}

/** Of silence on a connection, where no answer may take longer: the only limit on slow readers. */
const quietMs = 35_000;

/** In milliseconds, where they are times. Receiving is limited tightly; a handler has limits of its own. */
const connectionLimits = {
  requestTimeout: 5_000,
  http: {
    headersTimeout: 3_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 16_384,
    requireHostHeader: false,
  },
  // Longer than a balancer keeps an idle connection.
  keepAliveTimeout: 72_000,
  maxRequestsPerSocket: 10_000,
};
