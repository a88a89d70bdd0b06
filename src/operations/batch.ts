import { z } from 'zod';
import { Problem } from '../problems.ts';
import type { Item, ItemAnswer } from './item.ts';
import { defineOperation, type ItemRequest, type Operation, perItem } from './operation.ts';

/** In milliseconds, how long items of a batch are begun. What is left then is held back. */
export const batchTimeMs = 8_000;

/**
 * How many instances of one batch are asked at once: half of the requests that an operation may always have under way, so
 * that no batch alone takes all the turns.
 */
const sideBySide = 16;

/** How long and how many items of one batch are asked. */
export const batchTimes = { batchTimeMs, sideBySide };

export const maxItems = 100;

/** In bytes, how long all items together may be. */
export const maxBatchBytes = 262_144;

/** Operations of processes that an item may name: starts and actions. */
const itemOperationsOf = (operations: readonly Operation[]): Operation[] =>
  operations.filter(
    ({ process: processName, cost, method, responses }) =>
      processName !== undefined &&
      (cost === 'start' || cost === 'action') &&
      method === 'POST' &&
      Object.values(responses).every(({ stream }) => stream === undefined),
  );

/** Starts and actions of all processes, many in one request. */
export function batchOperationOf(operations: readonly Operation[], times = batchTimes): Operation {
  const known = itemOperationsOf(operations);
  const byId = new Map(known.map((operation) => [operation.operationId, operation]));
  const item = itemSchemaOf(known);
  return defineOperation({
    operationId: 'sendBatch',
    method: 'POST',
    path: '/v1/batch',
    summary: 'Start and change many instances by one request, each item as if it came alone',
    tag: 'batch',
    permission: perItem,
    cost: 'action',
    dependsOn: [],
    body: z.array(item).max(maxItems),
    maxBodyBytes: maxBatchBytes,
    items: {
      max: maxItems,
      schema: item,
      requestOf: (sent: z.output<typeof item>) => requestOf(sent, byId.get(sent.operation)),
    },
    responses: {
      200: {
        description: 'Every item has an answer, in the order sent, whatever became of it.',
        body: z.array(itemAnswer),
        stream: 'application/x-ndjson',
      },
    },
    problems: [],
    handle: ({ items = [], signal }) =>
      Promise.resolve({ status: 200, items: answerInOrder(items, { signal, ...times }) }),
  });
}

const itemSchemaOf = (known: readonly Operation[]) =>
  z
    .strictObject({
      operation: z
        .enum(
          known.map(({ operationId }) => operationId),
          { error: 'must be the id of a start or an action of a process' },
        )
        .describe('Which operation is asked.'),
      id: z.string().optional().describe('The instance that an action is about. A start has none.'),
      idempotencyKey: z.string().optional().describe('As the `Idempotency-Key` header of the operation.'),
      body: z.unknown().optional().describe('As the body of the operation.'),
    })
    .meta({ id: 'BatchItem', description: 'One request, as the operation takes it alone.' });

export const itemAnswer = z
  .object({
    status: z.int().describe('As the operation answers alone.'),
    idempotencyStatus: z.enum(['created', 'joined', 'replayed']).optional(),
    location: z.string().optional(),
    retryAfterMs: z.int().optional().describe('How long to wait before asking again, in milliseconds.'),
    body: z
      .looseObject({})
      .optional()
      .describe('What the operation answers with this status; from 400 on a `Problem` with its retry verdict.'),
  })
  .meta({ id: 'BatchAnswer', description: 'The answer to one item.' });

function requestOf(
  { id, idempotencyKey, body }: { readonly id?: string; readonly idempotencyKey?: string; readonly body?: unknown },
  operation: Operation | undefined,
): ItemRequest {
  if (operation === undefined) throw new Error('the schema lets known operations pass');
  if (id !== undefined && operation.params === undefined) {
    const errors = [{ pointer: '/id', message: 'is not known here: a start has its key in its body or its header' }];
    throw new Problem('invalid-request', { detail: 'The item does not fit.', errors });
  }
  return { operation, params: id === undefined ? {} : { id }, body, idempotencyKey };
}

interface Limits {
  readonly signal: AbortSignal;
  readonly batchTimeMs: number;
  readonly sideBySide: number;
}

/**
 * Gives an answer for each item, in their order. Items about one instance run one after the other. After one that may end
 * better the next time, those behind it are held back, so that the same batch again keeps the order too.
 */
export function answerInOrder(items: readonly Item[], { signal, ...limits }: Limits): Promise<ItemAnswer>[] {
  const { answers, queues } = queuesOf(items);
  const endsAtMs = performance.now() + limits.batchTimeMs;
  const isOver = () => signal.aborted || performance.now() >= endsAtMs;

  async function workThrough(): Promise<void> {
    for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
      let failed: ItemAnswer | undefined;
      for (const { item, resolve } of queue) {
        const answer = failed ? item.refuse(behind(failed)) : isOver() ? item.refuse(outOfTime()) : await item.run();
        if (answer.isRetryable) failed = answer;
        resolve(answer);
      }
    }
  }

  for (let line = 0; line < limits.sideBySide; line += 1) void workThrough();
  return answers;
}

interface Queued {
  readonly item: Item;
  readonly resolve: (answer: ItemAnswer) => void;
}

/** A queue for each instance, and one for each item that names none: the queue whose first item came first stands first. */
function queuesOf(items: readonly Item[]): { answers: Promise<ItemAnswer>[]; queues: Queued[][] } {
  const byInstance = new Map<string, Queued[]>();
  const queues: Queued[][] = [];
  const answers = items.map((item) => {
    const { instance } = item;
    let queue = instance === undefined ? undefined : byInstance.get(instance);
    if (queue === undefined) queues.push((queue = []));
    if (instance !== undefined) byInstance.set(instance, queue);
    const own = queue;
    return new Promise<ItemAnswer>((resolve) => own.push({ item, resolve }));
  });
  return { answers, queues };
}

const behind = ({ retryAfterMs }: ItemAnswer): Problem =>
  new Problem('held-back', {
    detail: 'An earlier item about the same instance has to be sent again first.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

const outOfTime = (): Problem => new Problem('held-back', { detail: 'The time of the batch was up before this item.' });
