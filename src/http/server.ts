import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { type Logger, requestLinesOf } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Problem } from '../problems.ts';
import { createClientErrors } from './client-errors.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { handleError } from './error-handler.ts';
import { factsOf } from './request-facts.ts';
import { logWhenOver } from './request-log.ts';
import { lazyChildOf } from './request-logger.ts';
import { parseQuery } from './request-target.ts';
import { securityHeaders, strictTransport } from './security-headers.ts';
import { closeUnusedConnections } from './unused-connections.ts';

interface ServerOptions {
  readonly logger: Logger;
  /** Where requests are counted. Without it they are neither counted nor logged, unless they are no HTTP at all. */
  readonly metrics?: Pick<Metrics, 'observeRequest'>;
  /** How long a connection may be silent, in milliseconds: the only limit on slow readers. */
  readonly quietMs: number;
  readonly maxBodyBytes: number;
  /** Addresses and CIDR blocks of the proxies whose `X-Forwarded-*` is believed; none if empty. */
  readonly trustProxy?: readonly string[];
  /** What pages of other origins may read; nothing unless told. */
  readonly crossOrigin?: CrossOrigin | undefined;
}

/**
 * A server without routes that answers every error with a problem, whatever it is that came. Every answer carries the
 * security headers and the id of its request. Requests are received within tight limits of time and size.
 */
export function createServer({
  logger,
  metrics,
  trustProxy = [],
  crossOrigin,
  ...limits
}: ServerOptions): FastifyInstance {
  const clientErrors = createClientErrors(metrics ?? { observeRequest: () => undefined }, logger, crossOrigin);
  const addHeaders = crossOrigin === undefined ? addOwnHeaders : addHeadersFor(crossOrigin);
  const loggerInstance: FastifyBaseLogger = logger;
  const observers = metrics === undefined ? undefined : { metrics, lines: requestLinesOf(logger) };
  const app = fastify({
    ...connectionLimits,
    connectionTimeout: limits.quietMs,
    bodyLimit: limits.maxBodyBytes,
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    childLoggerFactory: lazyChildOf,
    trustProxy: trustProxy.length > 0 && [...trustProxy],
    genReqId: (request) => factsOf(request).id,
    routerOptions: { maxParamLength: 512, querystringParser: parseQuery },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // Fastify's own answer while it closes is no problem.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: clientErrors.handle,
    frameworkErrors: (error, request, reply) => {
      if (observers !== undefined) logWhenOver(observers, request, reply);
      addHeaders(request, reply);
      handleError(error, request, reply);
    },
  });
  // A caller may expect what it likes; RFC 9110, 10.1.1 lets a server ignore all but 100-continue. Its body is invited
  // once the guards have let the request pass.
  for (const event of ['checkExpectation', 'checkContinue']) {
    app.server.on(event, (request, response) => app.server.emit('request', request, response));
  }
  clientErrors.watch(app);
  closeUnusedConnections(app);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler(() => {
    throw new Problem('not-found');
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (observers !== undefined) logWhenOver(observers, request, reply);
    addHeaders(request, reply);
    done();
  });
  return app;
}

function addOwnHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(securityHeaders);
  if (request.protocol === 'https') reply.headers(strictTransport);
  reply.header('X-Request-Id', request.id);
}

const addHeadersFor =
  ({ headersFor }: CrossOrigin) =>
  (request: FastifyRequest, reply: FastifyReply): void => {
    addOwnHeaders(request, reply);
    reply.headers(headersFor(request.headers.origin));
  };

/** In milliseconds, where they are times. */
const connectionLimits = {
  requestTimeout: 5_000,
  http: {
    headersTimeout: 3_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 16_384,
    // A guard refuses such a request with a problem. Node's own answer is empty.
    requireHostHeader: false,
  },
  // Longer than a balancer keeps an idle connection.
  keepAliveTimeout: 72_000,
  maxRequestsPerSocket: 10_000,
};
