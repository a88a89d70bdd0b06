import type { FastifyInstance } from 'fastify';
import { methods } from './methods.ts';
import { publicPermission } from './route-config.ts';
import { throwUnknownRoute } from './unknown-routes.ts';

/** What the pages of some origins may do (Fetch standard, 3.3): nothing with cookies, which Portico does not know. */
export interface CrossOrigin {
  /** The fields for the answer to a request of that `Origin`, also where it is a problem. */
  headersFor(origin: string | undefined): Readonly<Record<string, string>>;
  isAllowed(origin: string | undefined): origin is string;
}

/** What a page may send beside what every page may. `ce-` are the attributes of CloudEvents in binary mode. */
const requestHeaders = [
  ...['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match', 'Last-Event-ID', 'Prefer'],
  ...['X-Request-Id', 'traceparent', 'tracestate'],
  ...['id', 'source', 'specversion', 'type', 'subject', 'time', 'dataschema', 'datacontenttype'].map(
    (attribute) => `ce-${attribute}`,
  ),
].join(', ');

/** What a page may read of an answer beside its body and what every page may read. */
const answerHeaders = [
  ...['Allow', 'ETag', 'Idempotency-Status', 'Link', 'Location', 'Preference-Applied'],
  ...['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
].join(', ');

/** How long a browser may go by a preflight; Chromium keeps none for longer. */
const maxAgeSeconds = 7_200;

/** Undefined where no origin is listed: nothing is then done for any request. */
export function crossOriginFor(origins: readonly string[]): CrossOrigin | undefined {
  if (origins.length === 0) return undefined;
  const allowed = new Set(origins);
  // An answer that is kept for one origin must not be given to another.
  const ofStrangers = { Vary: 'Origin' };
  return {
    isAllowed: (origin): origin is string => origin !== undefined && allowed.has(origin),
    headersFor: (origin) =>
      origin === undefined || !allowed.has(origin)
        ? ofStrangers
        : { ...ofStrangers, 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': answerHeaders },
  };
}

/**
 * Answers the preflights of the allowed origins with 204, without a token and for every address: a page is then able to
 * read the 404 or 405 of the request itself. OPTIONS of anybody else is refused as where there are no origins.
 */
export function answerPreflights(app: FastifyInstance, { isAllowed }: CrossOrigin): void {
  const config = { operationId: 'preflight', permission: publicPermission, cost: 'read' } as const;
  app.options('*', { config }, (request, reply) => {
    const { origin, 'access-control-request-method': asked } = request.headers;
    if (!isAllowed(origin) || asked === undefined) return throwUnknownRoute(app, request);
    return reply
      .code(204)
      .headers({
        'Access-Control-Allow-Methods': methods.join(', '),
        'Access-Control-Allow-Headers': requestHeaders,
        'Access-Control-Max-Age': maxAgeSeconds,
      })
      .send();
  });
}
