import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Answer, Call, Cost, Operation, Services } from '../operations/operation.ts';
import type { Deadlines } from '../orchestration/calls.ts';
import { Problem } from '../problems.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import { declarationOf, replySchemasOf } from './answers.ts';
import { isSafe } from './methods.ts';
import { factsOf } from './request-facts.ts';
import { carriedBy, understands } from './request-headers.ts';
import { createStreams, endStream } from './streams.ts';
import { parsePart } from './validation.ts';

interface RouteOptions {
  readonly services: Services;
  readonly deadlines: Deadlines;
  /** The longest wait a caller gets, in milliseconds, whatever it prefers. */
  readonly maxWaitMs: number;
  /** Time for a handler's own work beside its calls to Temporal, such as a transaction; milliseconds, 4,000 unless told. */
  readonly ownWorkMs?: number;
}

/** How long a handler may take beyond the wait asked for. An answer that is cut says that its effect is unknown. */
const limitMsOf = (cost: Cost, { deadlines, ownWorkMs = 4_000 }: Omit<RouteOptions, 'services'>): number =>
  ownWorkMs + 2 * deadlines.readMs + { read: 0, list: 0, start: deadlines.startMs, action: deadlines.actionMs }[cost];

/** The longest time that an answer may be prepared; milliseconds. */
export const longestAnswerMs = (options: Omit<RouteOptions, 'services'>): number =>
  Math.max(limitMsOf('start', options), limitMsOf('action', options)) + options.maxWaitMs;

/** Serves each operation: the request is parsed by its schemas, the answer serialised by them. */
export function registerRoutes(app: FastifyInstance, operations: readonly Operation[], options: RouteOptions): void {
  const sendStream = createStreams(app);
  for (const operation of operations) {
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: {
        operationId: operation.operationId,
        permission: operation.permission,
        cost: operation.cost,
        ...(operation.process === undefined ? {} : { process: operation.process }),
      },
      ...(operation.maxBodyBytes === undefined ? {} : { bodyLimit: operation.maxBodyBytes }),
      schema: { response: replySchemasOf(operation) },
      handler: async (request, reply) => {
        const control = controlOf(reply);
        const answer = await answerInTime(operation, request, control, options);
        const { stream: mediaType = '' } = declarationOf(operation, answer);
        reply.code(answer.status).headers(answer.headers ?? {});
        if (answer.stream === undefined) return reply.send(answer.body);
        return sendStream({ request, reply, stream: answer.stream, mediaType, control });
      },
    });
  }
}

/**
 * Aborts when the caller goes before its answer is written. Fastify's own signal and time limit end with the arrival of
 * the body (docs/decisions/0007-request-signals.md), which leaves a POST without both.
 */
function controlOf({ raw }: FastifyReply): AbortController {
  const control = new AbortController();
  const abortIfUnwritten = () => {
    if (!raw.writableFinished) control.abort();
  };
  if (raw.destroyed) abortIfUnwritten();
  else raw.once('close', abortIfUnwritten);
  return control;
}

/** What the operation answers, or a problem once its time is up. What a late handler still gives is dropped. */
async function answerInTime(
  operation: Operation,
  request: FastifyRequest,
  control: AbortController,
  options: RouteOptions,
): Promise<Answer> {
  const limitMs = limitMsOf(operation.cost, options) + (understands(operation, 'prefer-wait') ? options.maxWaitMs : 0);
  const answered = answerOf(operation, request, control.signal, options);
  try {
    return await withTimeLimit(answered, limitMs, () => latenessOf(operation));
  } catch (error) {
    control.abort(error);
    answered.then(endStream, () => undefined);
    throw error;
  }
}

/** What belongs to no process asks the database alone. */
function latenessOf({ method, process: processName }: Operation): Problem {
  if (!isSafe(method)) return new Problem('outcome-unknown');
  if (processName !== undefined) return new Problem('orchestration-timeout');
  return new Problem('database-unavailable', { detail: 'The database did not answer in time; nothing was changed.' });
}

async function answerOf(
  operation: Operation,
  request: FastifyRequest,
  signal: AbortSignal,
  { services, maxWaitMs }: RouteOptions,
): Promise<Answer> {
  const call = toCall(operation, request, signal, maxWaitMs);
  const instance = operation.instanceOf?.(call);
  if (instance !== undefined) factsOf(request.raw).instance = instance;
  return await operation.handle(call, services);
}

const noParams = z.object({});
const noQuery = z.strictObject({});

const toCall = (operation: Operation, request: FastifyRequest, signal: AbortSignal, maxWaitMs: number): Call => ({
  ...carriedBy(request.headers, operation, maxWaitMs),
  get principal() {
    const { principal } = factsOf(request.raw);
    if (principal === undefined) throw new Error('a public operation has no principal');
    return principal;
  },
  params: parsePart('params', operation.params ?? noParams, request.params),
  query: parsePart('query', operation.query ?? noQuery, request.query),
  body: operation.body === undefined ? undefined : parsePart('body', operation.body, request.body),
  rawBody: request.body,
  signal,
});
