import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import type { Item, ItemAnswer } from '../operations/item.ts';
import { type Cost, type ItemRequest, type Operation, usualMaxBodyBytes } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { requirePermission } from '../tokens/authentication.ts';
import type { Answering } from './answering.ts';
import { type createSerializer, declarationOf } from './answers.ts';
import { createCall, type MutableCall } from './calls.ts';
import { logCause, renderProblem, toProblem } from './error-handler.ts';
import { factsOf } from './request-facts.ts';
import { carriedBy } from './request-headers.ts';
import { callerGone } from './request-log.ts';
import { pathOf } from './request-target.ts';

/** An operation as its route serves it: items take the same gate, limits and schemas. */
export interface Served {
  readonly answer: Answering;
  readonly textOf: ReturnType<typeof createSerializer>;
}

/** One item as it was read, or why it cannot be read. */
export type ReadItem = { readonly asked: ItemRequest; readonly bytes: number } | { readonly fault: Problem };

/** Asks operations for what comes as items of one HTTP request. */
export interface Items {
  /** Looks at an item and asks nothing yet. `signal` aborts once nobody waits for the answer. Never throws. */
  prepare(item: ReadItem, reply: FastifyReply, signal: AbortSignal): Item;
  /** Asks at once, for an item whose size is known to be allowed. Never rejects. */
  run(asked: ItemRequest, reply: FastifyReply, signal: AbortSignal): Promise<ItemAnswer>;
}

interface ItemsOptions {
  readonly app: FastifyInstance;
  readonly servedOf: (operation: Operation) => Served;
  readonly metrics: Pick<Metrics, 'observeRequest'>;
}

/** Runs items of all operations that `servedOf` knows. */
export function createItems({ app, ...options }: ItemsOptions): Items {
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  const asking = { ...options, isClosing: () => isClosing };
  const prepare: Items['prepare'] = (item, reply, signal) =>
    'fault' in item
      ? unreadable(item.fault, reply.request)
      : prepareItem(look(item.asked, item.bytes, reply.request), { ...asking, reply, signal });
  return {
    prepare,
    run: (asked, reply, signal) => prepare({ asked, bytes: 0 }, reply, signal).run(),
  };
}

/** An item that asks no operation: it costs an action. */
function unreadable(fault: Problem, request: FastifyRequest): Item {
  const refuse = (problem: Problem) => counted(refusalOf(problem, pathOf(request.url)), request);
  const run = () => {
    try {
      limitItem(request, 'action');
      return refuse(fault);
    } catch (error) {
      return refuse(toProblem(error, request));
    }
  };
  return { instance: undefined, refuse, run: () => Promise.resolve(run()) };
}

/** Counts what one item costs whoever asks. Throws `rate-limited`. */
export function limitItem(request: FastifyRequest, cost: Cost): void {
  const limit = factsOf(request.raw).limitItem;
  if (limit === undefined) throw new Error('no guard limits the items of this route');
  limit(cost);
}

/** An item that names an operation. What is wrong with the rest is told when it is asked, to those who may ask. */
interface Looked {
  readonly asked: ItemRequest;
  readonly call: MutableCall | undefined;
  readonly instance: string | undefined;
  readonly fault: unknown;
}

function look(asked: ItemRequest, bytes: number, request: FastifyRequest): Looked {
  const { operation } = asked;
  try {
    if (asked.fault !== undefined) throw asked.fault;
    refuseTooLarge(asked, bytes);
    const { traceparent } = request.headers;
    const headers = { 'idempotency-key': asked.idempotencyKey, traceparent };
    const call = createCall(operation, asked, carriedBy(headers, operation, 0), factsOf(request.raw).principal);
    const key = operation.instanceOf?.(call) ?? call.params['id'];
    const instance = key === undefined ? undefined : `${operation.process}/${key}`;
    return { asked, call, instance, fault: undefined };
  } catch (fault) {
    return { asked, call: undefined, instance: undefined, fault };
  }
}

/** Without the white space between values, where the whole item is longer than its body may be. */
function refuseTooLarge({ operation, body }: ItemRequest, bytes: number): void {
  const { maxBodyBytes = usualMaxBodyBytes } = operation;
  if (bytes <= maxBodyBytes || body === undefined) return;
  if (Buffer.byteLength(JSON.stringify(body)) > maxBodyBytes) throw new Problem('body-too-large');
}

interface Asking extends Omit<ItemsOptions, 'app'> {
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
  /** True once the app closes: no item is begun any more. */
  readonly isClosing: () => boolean;
}

function prepareItem(looked: Looked, asking: Asking): Item {
  const { asked, instance } = looked;
  const { operation } = asked;
  const { request } = asking.reply;
  return {
    instance,
    refuse: (problem) => counted(refusalOf(problem, pathOfItem(asked)), request),
    async run() {
      const beganAtMs = performance.now();
      const answer = await ask(looked, asking).catch((error: unknown) => {
        const met = toProblem(error, request);
        const problem = asked.explain?.(met) ?? met;
        logCause(problem, request);
        return refusalOf(problem, pathOfItem(asked));
      });
      const { method, path: route } = operation;
      const status = asking.signal.aborted ? callerGone : answer.status;
      asking.metrics.observeRequest({ method, route, status, seconds: (performance.now() - beganAtMs) / 1_000 });
      return counted(answer, request);
    },
  };
}

/** What guards do for a request that comes alone, in their order, and then its handler. */
async function ask(looked: Looked, { reply, signal, servedOf, isClosing }: Asking): Promise<ItemAnswer> {
  const { call, fault } = looked;
  const { operation } = looked.asked;
  const { answer, textOf } = servedOf(operation);
  const { principal } = factsOf(reply.request.raw);
  if (isClosing()) throw new Problem('overloaded');
  limitItem(reply.request, operation.cost);
  requirePermission(principal, operation.permission);
  if (call === undefined) throw fault;
  const control = new AbortController();
  const abort = () => control.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort);
  call.signal = control.signal;
  try {
    const given = await answer(call.principal.tenant, call, control);
    declarationOf(operation, given);
    return {
      status: given.status,
      headers: given.headers ?? {},
      text: given.body === undefined ? '' : textOf(reply, given),
      retryAfterMs: millisecondsOf(given.headers?.['Retry-After']),
      isRetryable: false,
    };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const millisecondsOf = (seconds: string | undefined): number | undefined =>
  seconds === undefined ? undefined : Number(seconds) * 1_000;

function refusalOf(problem: Problem, path: string): ItemAnswer {
  const { status, headers, text } = renderProblem(problem, path);
  const { kind, options } = problem;
  const retryAfterMs = options.retryAfterMs ?? kind.retryAfterMs;
  return { status, headers, text, retryAfterMs, isRetryable: kind.retryable };
}

/** The path that the item would have alone. */
const pathOfItem = ({ operation, params }: ItemRequest): string =>
  operation.path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined ? whole : encodeURIComponent(value);
  });

/** For the line of the request in the log. */
function counted(answer: ItemAnswer, request: FastifyRequest): ItemAnswer {
  const facts = factsOf(request.raw);
  facts.itemStatuses ??= new Map();
  facts.itemStatuses.set(answer.status, (facts.itemStatuses.get(answer.status) ?? 0) + 1);
  return answer;
}
