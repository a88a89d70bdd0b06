import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import { knownPrincipalOf } from '../tokens/authentication.ts';
import { problemCodeOf } from './error-handler.ts';

/** The status that logs and metrics show where the caller went away before the answer was written. */
const callerGone = 499;

type RequestMetrics = Pick<Metrics, 'observeRequest'>;

/** Writes one line and one observation for each request that has passed the router. */
export function logRequests(app: FastifyInstance, metrics: RequestMetrics): void {
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(metrics, request, reply);
    done();
  });
}

/** Writes them for one request, when its answer is written or its caller is gone. */
export function logWhenOver(metrics: RequestMetrics, request: FastifyRequest, reply: FastifyReply): void {
  let isOver = false;
  const once = () => {
    if (!isOver) logRequest(metrics, request, reply);
    isOver = true;
  };
  reply.raw.once('finish', once);
  reply.raw.once('close', once);
}

const named = new WeakMap<FastifyRequest, string>();

/** Gives the line of a request the instance that it is about, where its address has none. */
export const nameInstance = (request: FastifyRequest, id: string): void => void named.set(request, id);

/** Names, numbers and templates only: no address, header or body, which may hold what nobody should read. */
function logRequest(metrics: RequestMetrics, request: FastifyRequest, reply: FastifyReply): void {
  const { operationId, process, url } = request.routeOptions.config;
  const status = reply.raw.writableFinished ? reply.statusCode : callerGone;
  const principal = knownPrincipalOf(request);
  const line = {
    method: request.method,
    operation: operationId,
    process,
    instanceId: instanceIdOf(request),
    status,
    problem: problemCodeOf(request),
    durationMs: Math.round(reply.elapsedTime),
    tenant: principal?.tenant,
    subject: principal?.actor.sub,
    issuer: principal?.actor.iss,
  };
  if (status >= 500) request.log.warn(line, 'request');
  else request.log.info(line, 'request');
  metrics.observeRequest({
    method: methodLabel(request.method),
    route: routeLabel(url),
    status,
    seconds: reply.elapsedTime / 1_000,
  });
}

const instanceId = /^[A-Za-z0-9._:-]{1,128}$/;

/** The instance a request is about, once its caller is known: from the address, or from who found it. */
function instanceIdOf(request: FastifyRequest): string | undefined {
  if (request.routeOptions.config.process === undefined || knownPrincipalOf(request) === undefined) return undefined;
  const { id } = { id: undefined, ...Object(request.params) } as { id: unknown };
  const candidate = id ?? named.get(request);
  return typeof candidate === 'string' && instanceId.test(candidate) ? candidate : undefined;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** From a closed set, since a caller can send some forty methods. */
const methodLabel = (method: string): string => (methods.includes(method) ? method : 'other');

/** `/v1/transfers/{id}`; `none` where no route was found. */
const routeLabel = (url: string | undefined): string => url?.replaceAll(/:(\w+)/g, '{$1}') ?? 'none';
