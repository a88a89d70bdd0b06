import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type ProblemCode, problemMediaType } from '../problems.ts';
import { challenge } from '../tokens/authentication.ts';
import { isSafe } from './methods.ts';
import { problemBodyOf } from './problem-body.ts';
import { factsOf } from './request-facts.ts';
import { awaitsContinue, pathOf } from './request-target.ts';
import { survivesRefusal } from './stranger-connections.ts';

/** A problem as it goes over the wire. `instance` is the path of the request that met it. */
export function renderProblem(problem: Problem, instance: string) {
  const body = problemBodyOf(problem, instance);
  const { retryAfterMs } = body;
  const headers: Record<string, string> = { 'Content-Type': problemMediaType, ...problem.options.headers };
  if (retryAfterMs !== undefined) headers['Retry-After'] = String(Math.ceil(retryAfterMs / 1_000));
  // RFC 9110, 11.6.1: a 401 names a challenge; RFC 6750, 3: so may a 403.
  if (body.status === 401 || body.status === 403) headers['WWW-Authenticate'] ??= challenge;
  return { status: body.status, headers, text: JSON.stringify(body) };
}

/** Fastify's error handler: answers every error, of every origin, with a problem. Why it is one is for the log alone. */
export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error, request);
  factsOf(request.raw).problem = problem.code;
  logCause(problem, request);
  const { status, headers, text } = renderProblem(problem, pathOf(request.url));
  const answer = () => {
    if (endsConnection(problem, request)) headers['Connection'] = 'close';
    // Without a serializer Fastify would add a charset, which the media type does not have.
    void reply.code(status).headers(headers).serializer(asItIs).send(text);
  };
  // The rest of what has arrived is parsed before the next turn of the event loop.
  if (isStranger(request) && !request.raw.complete) setImmediate(answer);
  else answer();
}

const asItIs = (text: string): string => text;

/**
 * Strangers who were refused too often, and callers who may or may not send the body now, begin anew on another connection.
 */
function endsConnection(problem: Problem, request: FastifyRequest): boolean {
  const { raw } = request;
  // To close while the body arrives would take the answer away.
  if (!raw.complete) return awaitsContinue(raw);
  const isRefused = isStranger(request) && (problem.isRefusal || [400, 429].includes(problem.kind.status));
  return isRefused && !survivesRefusal(raw.socket);
}

const isStranger = ({ raw }: FastifyRequest): boolean => factsOf(raw).principal === undefined;

/** Logs why a request, or an item of one, ended in a problem, where that is more than the problem says. */
export function logCause(problem: Problem, { log }: FastifyRequest): void {
  const line = { err: problem.cause, problem: problem.code };
  if (problem.code === 'internal') log.error({ ...line, err: problem.cause ?? problem }, 'a request failed');
  else if (problem.cause === undefined) return;
  else if (problem.kind.status >= 500 && !problem.isRefusal) log.warn(line, 'a request could not be served');
  else log.debug(line, 'a request was refused');
}

const ofFastify: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_BAD_URL: 'malformed-request',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed-request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-request',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_MAX_PARAM_LENGTH: 'uri-too-long',
  FST_ERR_NOT_FOUND: 'not-found',
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: 'unsupported-media-type',
  FST_ERR_VALIDATION: 'invalid-request',
};

/** A problem as it is; an error of Fastify by its code; anything else is our fault, and nothing of its text is shown. */
export function toProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  const code = isCoded(error) ? error.code : undefined;
  // Of another connection, once the request has arrived: one that a handler has.
  if (code === 'ECONNRESET' && !request.raw.complete) return new Problem('malformed-request');
  const known = code === undefined ? undefined : ofFastify[code];
  // Not as cause: some of their messages repeat the address.
  if (known !== undefined) return new Problem(known);
  return new Problem('internal', { effect: isSafe(request.method) ? 'none' : 'unknown', cause: error });
}

const isCoded = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string';
