import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import { batchTimeMs } from '../operations/batch.ts';
import type { ItemsDeclaration, Operation, Services } from '../operations/operation.ts';
import type { Admission } from '../overload/admission.ts';
import type { Gate } from '../overload/gate.ts';
import { type AnswerTimes, createAnswering, longestWorkMs } from './answering.ts';
import { createSerializer, declarationOf, jsonType } from './answers.ts';
import { controlOf } from './caller-signal.ts';
import { toCall } from './calls.ts';
import { registerItemRoute } from './item-route.ts';
import { createItems, type Served } from './items.ts';
import { factsOf } from './request-facts.ts';
import { tenantOf } from './room.ts';
import { createStreams } from './streams.ts';

interface RouteOptions extends AnswerTimes {
  readonly services: Services;
  readonly admission: Admission;
  readonly metrics: Pick<Metrics, 'observeRequest' | 'observeBatch'>;
  /** The longest wait a caller gets, in milliseconds, whatever it prefers. */
  readonly maxWaitMs: number;
}

/** The longest time that an answer may be prepared; milliseconds. */
export const longestAnswerMs = (options: AnswerTimes & Pick<RouteOptions, 'maxWaitMs'>): number =>
  longestWorkMs(options) + Math.max(options.maxWaitMs, batchTimeMs);

/** Serves each operation: the request is parsed by its schemas, the answer serialised by them. */
export function registerRoutes(app: FastifyInstance, operations: readonly Operation[], options: RouteOptions): void {
  const { admission, metrics, services } = options;
  const sendStream = createStreams(app);
  const served = new Map<Operation, Served>();
  const items = createItems({ app, servedOf: (operation) => servedIn(served, operation), metrics });
  for (const operation of operations) {
    if (takesItems(operation)) {
      registerItemRoute(app, operation, { items, sendStream, services, metrics });
      continue;
    }
    const gate = admission.gateOf(operation);
    const asking = { answer: createAnswering(operation, gate, options), textOf: createSerializer(operation) };
    served.set(operation, asking);
    registerRoute(app, { operation, gate, sendStream, maxWaitMs: options.maxWaitMs, ...asking });
  }
}

const takesItems = (operation: Operation): operation is Operation & { readonly items: ItemsDeclaration } =>
  operation.items !== undefined;

function servedIn(served: ReadonlyMap<Operation, Served>, operation: Operation): Served {
  const found = served.get(operation);
  if (found === undefined) throw new Error(`${operation.operationId} is not served here`);
  return found;
}

interface Route extends Served {
  readonly operation: Operation;
  readonly gate: Gate;
  readonly sendStream: ReturnType<typeof createStreams>;
  readonly maxWaitMs: number;
}

function registerRoute(app: FastifyInstance, route: Route): void {
  const { operation, gate, sendStream, maxWaitMs, answer: answerInTime, textOf } = route;
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
      const call = toCall(operation, request, maxWaitMs);
      // Most requests that are refused by now need none.
      const control = controlOf(reply);
      call.signal = control.signal;
      const instance = operation.instanceOf?.(call);
      if (instance !== undefined) factsOf(request.raw).instance = instance;
      const answer = await answerInTime(tenantOf(request), call, control);
      const { stream: mediaType = '' } = declarationOf(operation, answer);
      reply.code(answer.status);
      if (answer.headers !== undefined) reply.headers(answer.headers);
      if (answer.body !== undefined) return reply.type(jsonType).send(textOf(reply, answer));
      if (answer.stream === undefined) return reply.send();
      return sendStream({ request, reply, stream: answer.stream, mediaType, control });
    },
  });
}
