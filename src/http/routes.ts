import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Answer, Call, Cost, Operation, Services } from '../operations/operation.ts';
import type { Deadlines } from '../orchestration/calls.ts';
import { idempotencyKeyOf, traceparentOf, waitMsOf } from './request-headers.ts';
import { nameInstance } from './request-log.ts';
import { parsePart } from './validation.ts';

interface RouteOptions {
  readonly services: Services;
  readonly deadlines: Deadlines;
  /** The longest wait a caller gets, in milliseconds, whatever it prefers. */
  readonly maxWaitMs: number;
}

/** Time for a handler's own work beside its calls to Temporal, such as a transaction of the database; milliseconds. */
const ownWorkMs = 4_000;

/** How long a handler may take beyond the wait asked for: longer than the deadlines of its calls together. */
const timeoutMsOf = (cost: Cost, { startMs, readMs, actionMs }: Deadlines): number =>
  ownWorkMs + 2 * readMs + { read: 0, list: 0, start: startMs, action: actionMs }[cost];

/** The longest time that an answer may be prepared; milliseconds. */
export const longestAnswerMs = ({ deadlines, maxWaitMs }: Pick<RouteOptions, 'deadlines' | 'maxWaitMs'>): number =>
  Math.max(timeoutMsOf('start', deadlines), timeoutMsOf('action', deadlines)) + maxWaitMs;

/** Serves each operation: the request is parsed by its schemas, the answer serialised by them. */
export function registerRoutes(app: FastifyInstance, operations: readonly Operation[], options: RouteOptions): void {
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
      handlerTimeout: timeoutMsOf(operation.cost, options.deadlines) + (operation.canWait ? options.maxWaitMs : 0),
      schema: { response: replySchemasOf(operation) },
      handler: async (request, reply) =>
        send(reply, await operation.handle(toCall(operation, request, options), options.services)),
    });
  }
}

function toCall(operation: Operation, request: FastifyRequest, { maxWaitMs }: RouteOptions): Call {
  const { headers } = request;
  const idempotencyKey = idempotencyKeyOf(headers, operation);
  return {
    principal: request.principal,
    params: parsePart('params', operation.params ?? z.object({}), request.params),
    query: parsePart('query', operation.query ?? z.strictObject({}), request.query),
    body: operation.body === undefined ? undefined : parsePart('body', operation.body, request.body),
    rawBody: request.body,
    waitMs: operation.canWait ? waitMsOf(headers, maxWaitMs) : 0,
    idempotencyKey,
    traceparent: traceparentOf(headers),
    nameInstance: (instanceId) => nameInstance(request, instanceId),
    signal: request.signal,
  };
}

function send(reply: FastifyReply, { status, body, headers }: Answer): FastifyReply {
  return reply
    .code(status)
    .headers(headers ?? {})
    .send(body);
}

/**
 * Fastify's serializer picks members of a union by Ajv, where `additionalProperties: false` would turn an extra key into
 * a 500; without it extra keys are still left out.
 */
function replySchemasOf(operation: Operation): Record<number, unknown> {
  return Object.fromEntries(
    Object.entries(operation.responses).map(([status, { body }]) => [
      status,
      z.toJSONSchema(body, {
        io: 'output',
        target: 'draft-7',
        override: ({ jsonSchema }) => {
          if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        },
      }),
    ]),
  );
}
