import { setMaxListeners } from 'node:events';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../observability/metrics.ts';
import type { ItemAnswer } from '../operations/item.ts';
import type { ItemsDeclaration, Operation, Services } from '../operations/operation.ts';
import { jsonType } from './answers.ts';
import { controlOf } from './caller-signal.ts';
import { toCall } from './calls.ts';
import { acceptEvents } from './event-bodies.ts';
import { acceptItems, linesType } from './item-bodies.ts';
import { type Items, limitItem, type ReadItem } from './items.ts';
import { malformed } from './json-body.ts';
import type { createStreams } from './streams.ts';

interface ItemRouteOptions {
  readonly services: Services;
  readonly items: Items;
  readonly sendStream: ReturnType<typeof createStreams>;
  readonly metrics: Pick<Metrics, 'observeBatch'>;
}

/**
 * Serves an operation that takes items. It has no gate and no time limit of its own, because its items have theirs. An
 * array is answered by an array once all are done; lines are answered line by line.
 */
export function registerItemRoute(
  app: FastifyInstance,
  operation: Operation & { readonly items: ItemsDeclaration },
  { items, sendStream, services, metrics }: ItemRouteOptions,
): void {
  const { maxBodyBytes } = operation;
  // A scope of its own: no other route reads bodies this way.
  void app.register((scope, _options, done) => {
    const readNothing = acceptBodies(scope, operation.items);
    scope.route({
      method: operation.method,
      url: operation.path,
      config: {
        operationId: operation.operationId,
        permission: operation.permission,
        cost: operation.cost,
        takesItems: true,
      },
      ...(maxBodyBytes === undefined ? {} : { bodyLimit: maxBodyBytes }),
      handler: async (request, reply) => {
        const read = (request.body as ReadItem | readonly ReadItem[] | undefined) ?? readNothing(request);
        const isBatch = isArray(read);
        if (isBatch) metrics.observeBatch(read.length);
        if (isBatch && read.length === 0) limitItem(request, operation.cost);
        const control = controlOf(reply);
        // Each item listens while it is under way.
        setMaxListeners(0, control.signal);
        const call = toCall(operation, request, 0);
        call.signal = control.signal;
        call.items = (isBatch ? read : [read]).map((item) => items.prepare(item, reply, control.signal));
        const { status, items: answers = [] } = await operation.handle(call, services);
        if (!isBatch) return sendOne(reply, answers);
        reply.code(status);
        if (request.mediaType !== linesType) return sendArray(reply, answers);
        const stream = linesOf(answers);
        return sendStream({ request, reply, stream, mediaType: linesType, control });
      },
    });
    done();
  });
}

/** Returns what reads a request without a body. */
function acceptBodies(scope: FastifyInstance, declaration: ItemsDeclaration): (request: FastifyRequest) => ReadItem {
  if (declaration.events !== undefined) return acceptEvents(scope, declaration);
  acceptItems(scope, declaration);
  return () => {
    throw malformed('There is no body.');
  };
}

const isArray: (read: ReadItem | readonly ReadItem[]) => read is readonly ReadItem[] = Array.isArray;

/** The answer of an item that came alone, as its operation gives it. */
async function sendOne(reply: FastifyReply, [answered]: readonly Promise<ItemAnswer>[]): Promise<FastifyReply> {
  if (answered === undefined) throw new Error('an item has no answer');
  const { status, headers, text } = await answered;
  // A problem brings its own media type. Without a serializer Fastify would add a charset to that.
  const type = { 'Content-Type': jsonType, ...headers };
  return reply
    .code(status)
    .headers(type)
    .serializer((value: string) => value)
    .send(text);
}

const sendArray = async (reply: FastifyReply, answers: readonly Promise<ItemAnswer>[]): Promise<FastifyReply> =>
  reply.type(jsonType).send(`[${(await Promise.all(answers)).map(textOfItem).join(',')}]`);

async function* linesOf(answers: readonly Promise<ItemAnswer>[]): AsyncGenerator<string> {
  for (const answer of answers) yield `${textOfItem(await answer)}\n`;
}

/** An answer as it stands in a batch. Its body has been serialised by the schema of its operation. */
function textOfItem({ status, headers, text, retryAfterMs }: ItemAnswer): string {
  const { 'Idempotency-Status': idempotencyStatus, Location: location } = headers;
  const head = JSON.stringify({ status, idempotencyStatus, location, retryAfterMs });
  return text === '' ? head : `${head.slice(0, -1)},"body":${text}}`;
}
