import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import { methods } from './methods.ts';
import { factsOf } from './request-facts.ts';

/** The status that logs and metrics show where the caller went away before the answer was written. */
const callerGone = 499;

type RequestMetrics = Pick<Metrics, 'observeRequest'>;

/** Writes one line and one observation for a request, when its answer is written or its caller is gone. */
export function logWhenOver(metrics: RequestMetrics, request: FastifyRequest, reply: FastifyReply): void {
  let isOver = false;
  const once = () => {
    if (!isOver) logRequest(metrics, request, reply);
    isOver = true;
  };
  reply.raw.once('finish', once);
  reply.raw.once('close', once);
}

/** Names, numbers and templates only: no address, header or body, which may hold what nobody should read. */
function logRequest(metrics: RequestMetrics, request: FastifyRequest, reply: FastifyReply): void {
  const { operationId, process: processName, url } = request.routeOptions.config;
  const { principal, problem, isStream = false } = factsOf(request.raw);
  const status = reply.raw.writableFinished || isStream ? reply.statusCode : callerGone;
  const line = {
    method: request.method,
    operation: operationId,
    process: processName,
    instanceId: instanceIdOf(request),
    status,
    problem,
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
  const { principal, instance } = factsOf(request.raw);
  if (request.routeOptions.config.process === undefined || principal === undefined) return undefined;
  const { id } = { id: undefined, ...Object(request.params) } as { id: unknown };
  const candidate = id ?? instance;
  return typeof candidate === 'string' && instanceId.test(candidate) ? candidate : undefined;
}

const methodLabels: ReadonlySet<string> = new Set([...methods, 'OPTIONS']);

/** From a closed set, since a caller can send some forty methods. */
const methodLabel = (method: string): string => (methodLabels.has(method) ? method : 'other');

/** `/v1/transfers/{id}`; `none` where no route was found. */
const routeLabel = (url: string | undefined): string => url?.replaceAll(/:(\w+)/g, '{$1}') ?? 'none';
