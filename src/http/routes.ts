import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type Answer,
  type Call,
  type Cost,
  dependenciesOf,
  type Operation,
  type Services,
} from '../operations/operation.ts';
import type { Deadlines } from '../orchestration/calls.ts';
import type { Admission } from '../overload/admission.ts';
import type { Gate } from '../overload/gate.ts';
import { Problem } from '../problems.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import { createSerializer, declarationOf, jsonType } from './answers.ts';
import { isSafe } from './methods.ts';
import { factsOf } from './request-facts.ts';
import { carriedBy, understands } from './request-headers.ts';
import { tenantOf } from './room.ts';
import { createStreams, endStream } from './streams.ts';
import { parsePart } from './validation.ts';

interface RouteOptions {
  readonly services: Services;
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  /** The longest wait a caller gets, in milliseconds, whatever it prefers. */
  readonly maxWaitMs: number;
  /** Time for a handler's own work beside its calls to Temporal, such as a transaction; milliseconds, 4,000 unless told. */
  readonly ownWorkMs?: number;
}

type AnswerTimes = Omit<RouteOptions, 'services' | 'admission'>;

/** How long a handler may take beyond the wait asked for. An answer that is cut says that its effect is unknown. */
const limitMsOf = (cost: Cost, { deadlines, ownWorkMs = 4_000 }: AnswerTimes): number =>
  ownWorkMs + 2 * deadlines.readMs + { read: 0, list: 0, start: deadlines.startMs, action: deadlines.actionMs }[cost];

/** The longest time that an answer may be prepared; milliseconds. */
export const longestAnswerMs = (options: AnswerTimes): number =>
  Math.max(limitMsOf('start', options), limitMsOf('action', options)) + options.maxWaitMs;

/** Serves each operation: the request is parsed by its schemas, the answer serialised by them. */
export function registerRoutes(app: FastifyInstance, operations: readonly Operation[], options: RouteOptions): void {
  const sendStream = createStreams(app);
  for (const operation of operations) {
    const gate = options.admission.gateOf(operation);
    const answerInTime = createAnswering(operation, gate, options);
    const textOf = createSerializer(operation);
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: {
        operationId: operation.operationId,
        permission: operation.permission,
        cost: operation.cost,
        gate,
        ...(operation.process === undefined ? {} : { process: operation.process }),
      },
      ...(operation.maxBodyBytes === undefined ? {} : { bodyLimit: operation.maxBodyBytes }),
      handler: async (request, reply) => {
        const call = toCall(operation, request, options.maxWaitMs);
        // Most requests that are refused by now need none.
        const control = controlOf(reply);
        call.signal = control.signal;
        const answer = await answerInTime(request, call, control);
        const { stream: mediaType = '' } = declarationOf(operation, answer);
        reply.code(answer.status);
        if (answer.headers !== undefined) reply.headers(answer.headers);
        if (answer.body !== undefined) return reply.type(jsonType).send(textOf(reply, answer));
        if (answer.stream === undefined) return reply.send();
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
  else raw.on('close', abortIfUnwritten);
  return control;
}

/** Gives what the operation answers, or a problem once its time is up. What a late handler still gives is dropped. */
function createAnswering(operation: Operation, gate: Gate, options: RouteOptions) {
  const { services, maxWaitMs } = options;
  const limitMs = limitMsOf(operation.cost, options) + (understands(operation, 'prefer-wait') ? maxWaitMs : 0);
  const onLate = () => latenessOf(operation);
  return async (request: FastifyRequest, call: MutableCall, control: AbortController): Promise<Answer> => {
    const instance = operation.instanceOf?.(call);
    if (instance !== undefined) factsOf(request.raw).instance = instance;
    const answered = inTurn(gate, tenantOf(request), call, () => operation.handle(call, services));
    try {
      return await withTimeLimit(answered, limitMs, onLate);
    } catch (error) {
      control.abort(error);
      call.endTurn();
      answered.then(endStream, () => undefined);
      throw error;
    }
  };
}

/** Runs the handler once the request has its turn, which ends with the answer, unless the handler has ended it before. */
async function inTurn(gate: Gate, tenant: string, call: MutableCall, handle: () => Promise<Answer>): Promise<Answer> {
  const entered = gate.enter(tenant, call.signal);
  const turn = entered instanceof Promise ? await entered : entered;
  call.endTurn = turn.end;
  try {
    const answer = await handle();
    turn.end();
    return answer;
  } catch (error) {
    // A refusal is fast, and an outage may be: only an answer or a wait for one says how long requests take.
    if (error instanceof Problem && error.kind.status === 504) turn.end();
    else turn.drop();
    throw error;
  }
}

function latenessOf(operation: Operation): Problem {
  if (!isSafe(operation.method)) return new Problem('outcome-unknown');
  if (dependenciesOf(operation).includes('orchestration')) return new Problem('orchestration-timeout');
  return new Problem('database-unavailable', { detail: 'The database did not answer in time; nothing was changed.' });
}

const noQuery = z.strictObject({});
const nothing: Readonly<Record<string, never>> = Object.freeze({});

/** The parameters in the address. An operation that declares none gets none. */
const paramsOf = ({ params }: Operation, request: FastifyRequest): Call['params'] =>
  params === undefined ? nothing : (parsePart('params', params, request.params) as Call['params']);

/** The query. An operation that declares none refuses any. */
function queryOf({ query }: Operation, request: FastifyRequest): unknown {
  if (query === undefined && isEmpty(request.query)) return nothing;
  return parsePart('query', query ?? noQuery, request.query);
}

function isEmpty(value: unknown): boolean {
  for (const _name in Object(value) as object) return false;
  return true;
}

/** The body as it came; an empty object in place of none, where the operation says so. */
const bodyOf = ({ bodyIsOptional }: Operation, { body }: FastifyRequest): unknown =>
  bodyIsOptional === true && body === undefined ? {} : body;

/** A request that has no turn yet has none to end. */
type MutableCall = Omit<Call, 'endTurn' | 'signal'> & { endTurn: () => void; signal: AbortSignal };

/** That of a request that is looked at only. */
const { signal: unusedSignal } = new AbortController();

const toCall = (operation: Operation, request: FastifyRequest, maxWaitMs: number): MutableCall => {
  const carried = carriedBy(request.headers, operation, maxWaitMs);
  const { principal } = factsOf(request.raw);
  const call = {
    waitMs: carried.waitMs,
    idempotencyKey: carried.idempotencyKey,
    ifMatch: carried.ifMatch,
    ifNoneMatch: carried.ifNoneMatch,
    lastEventId: carried.lastEventId,
    traceparent: carried.traceparent,
    principal,
    params: paramsOf(operation, request),
    query: queryOf(operation, request),
    body: operation.body === undefined ? undefined : parsePart('body', operation.body, bodyOf(operation, request)),
    rawBody: bodyOf(operation, request),
    signal: unusedSignal,
    endTurn: noTurn,
  };
  return principal === undefined
    ? Object.defineProperty(call as MutableCall, 'principal', { get: throwNobody })
    : (call as MutableCall);
};

const noTurn = () => undefined;

function throwNobody(): never {
  throw new Error('a public operation has no principal');
}
