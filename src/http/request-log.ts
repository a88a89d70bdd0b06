import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import type { RequestLines } from '../observability/request-lines.ts';
import { methods } from './methods.ts';
import { factsOf, routeOf } from './request-facts.ts';

/** The status that logs and metrics show where the caller went away before the answer was written. */
export const callerGone = 499;

/** What is told of each request, and to whom. */
export interface RequestObservers {
  readonly metrics: Pick<Metrics, 'observeRequest'>;
  readonly lines: RequestLines;
}

/** Writes one line and one observation for a request, when its answer is written or its caller is gone. */
export function logWhenOver(observers: RequestObservers, request: FastifyRequest, reply: FastifyReply): void {
  let isOver = false;
  const once = () => {
    if (!isOver) logRequest(observers, request, reply);
    isOver = true;
  };
  reply.raw.on('finish', once);
  reply.raw.on('close', once);
}

/** Names, numbers and templates only: no address, header or body, which may hold what nobody should read. */
function logRequest({ metrics, lines }: RequestObservers, request: FastifyRequest, reply: FastifyReply): void {
  const { operationId, process: processName, url } = routeOf(request).config;
  const { id, principal, problem, isStream, itemStatuses } = factsOf(request.raw);
  const status = reply.raw.writableFinished || isStream ? reply.statusCode : callerGone;
  const elapsedMs = reply.elapsedTime;
  lines.write(status >= 500 ? 'warn' : 'info', {
    requestId: id,
    method: request.method,
    operation: operationId,
    process: processName,
    instanceId: instanceIdOf(request),
    status,
    problem,
    items: itemStatuses === undefined ? undefined : countsOf(itemStatuses),
    durationMs: Math.round(elapsedMs),
    tenant: principal?.tenant,
    subject: principal?.actor.sub,
    issuer: principal?.actor.iss,
  });
  metrics.observeRequest({
    method: methodLabel(request.method),
    route: routeLabel(url),
    status,
    seconds: elapsedMs / 1_000,
  });
}

/** `200:3 409:1`. */
const countsOf = (statuses: ReadonlyMap<number, number>): string =>
  [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status}:${count}`)
    .join(' ');

const instanceId = /^[A-Za-z0-9._:-]{1,128}$/;

/** The instance a request is about, once its caller is known: from the address, or from who found it. */
function instanceIdOf(request: FastifyRequest): string | undefined {
  const { principal, instance } = factsOf(request.raw);
  if (routeOf(request).config.process === undefined || principal === undefined) return undefined;
  const { id = instance } = Object(request.params) as { readonly id?: unknown };
  return typeof id === 'string' && instanceId.test(id) ? id : undefined;
}

const methodLabels: ReadonlySet<string> = new Set([...methods, 'OPTIONS']);

/** From a closed set, since a caller can send some forty methods. */
const methodLabel = (method: string): string => (methodLabels.has(method) ? method : 'other');

// Of each route one.
const routeLabels = new Map<string, string>();

/** `/v1/transfers/{id}`; `none` where no route was found. */
function routeLabel(url: string | undefined): string {
  if (url === undefined) return 'none';
  const label = routeLabels.get(url) ?? url.replaceAll(/:(\w+)/g, '{$1}');
  routeLabels.set(url, label);
  return label;
}
