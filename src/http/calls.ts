import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carried } from '../operations/carried.ts';
import type { Call, Operation } from '../operations/operation.ts';
import type { Principal } from '../tokens/authentication.ts';
import { factsOf } from './request-facts.ts';
import { carriedBy } from './request-headers.ts';
import { parsePart } from './validation.ts';

/** A call whose request has no turn yet, so that there is none to end. */
export type MutableCall = Omit<Call, 'endTurn' | 'signal' | 'items'> & {
  endTurn: () => void;
  signal: AbortSignal;
  items?: Call['items'];
};

/** The parts of a request that an operation has schemas for, as they came. */
export interface RequestParts {
  readonly params: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

/** The call that a request makes. Throws a problem for what the schemas of the operation do not take. */
export const toCall = (operation: Operation, request: FastifyRequest, maxWaitMs: number): MutableCall =>
  createCall(operation, request, carriedBy(request.headers, operation, maxWaitMs), factsOf(request.raw).principal);

/** The call of these parts. Throws as {@link toCall} does. */
export function createCall(
  operation: Operation,
  parts: RequestParts,
  carried: Carried,
  principal: Principal | undefined,
): MutableCall {
  const rawBody = bodyOf(operation, parts);
  const call = {
    waitMs: carried.waitMs,
    idempotencyKey: carried.idempotencyKey,
    ifMatch: carried.ifMatch,
    ifNoneMatch: carried.ifNoneMatch,
    lastEventId: carried.lastEventId,
    traceparent: carried.traceparent,
    principal,
    params: paramsOf(operation, parts),
    query: queryOf(operation, parts),
    body: parsedBodyOf(operation, rawBody),
    rawBody,
    signal: unusedSignal,
    endTurn: noTurn,
  };
  return principal === undefined
    ? Object.defineProperty(call as MutableCall, 'principal', { get: throwNobody })
    : (call as MutableCall);
}

const noQuery = z.strictObject({});
const nothing: Readonly<Record<string, never>> = Object.freeze({});

/** The parameters in the address. An operation that declares none gets none. */
const paramsOf = ({ params }: Operation, parts: RequestParts): Call['params'] =>
  params === undefined ? nothing : (parsePart('params', params, parts.params) as Call['params']);

/** The query. An operation that declares none refuses any. */
function queryOf({ query }: Operation, parts: RequestParts): unknown {
  if (query === undefined && isEmpty(parts.query)) return nothing;
  return parsePart('query', query ?? noQuery, parts.query);
}

function isEmpty(value: unknown): boolean {
  for (const _name in Object(value) as object) return false;
  return true;
}

/** The body as it came; an empty object in place of none, where the operation says so. */
const bodyOf = ({ bodyIsOptional }: Operation, { body }: RequestParts): unknown =>
  bodyIsOptional === true && body === undefined ? {} : body;

/** Items are parsed one by one, so that a bad one spoils no other. */
const parsedBodyOf = ({ body, items }: Operation, rawBody: unknown): unknown =>
  body === undefined || items !== undefined ? undefined : parsePart('body', body, rawBody);

/** That of a request that is looked at only. */
const { signal: unusedSignal } = new AbortController();

const noTurn = () => undefined;

function throwNobody(): never {
  throw new Error('a public operation has no principal');
}
