import { answerOf } from './answers.ts';
import { createEvents, type Events } from './events.ts';
import { operations } from './operations.ts';
import { createRequests, type PorticoOptions, type Requests } from './requests.ts';
import type { BatchAnswer, BatchItem, CallOptions, OperationId, Resources, ResultOptions } from './types.ts';

export interface Portico extends Resources {
  /**
   * Many starts and actions by one request. Every item has its answer, in the order given: a refused one is an answer with
   * a problem, and nothing is thrown for it. What was interrupted may be sent again whole.
   */
  batch(items: readonly BatchItem[], options?: CallOptions): Promise<readonly BatchAnswer[]>;
  readonly events: Events;
}

/** One row of the table, as far as it is read here. */
interface Row {
  readonly method: string;
  readonly path: string;
  readonly key: 'needed' | 'taken' | 'none';
  readonly body: 'needed' | 'taken' | 'none';
  readonly query: boolean;
  readonly lists: boolean;
  readonly waits: boolean;
  readonly resource: string;
  readonly call: string;
}

/** What calls may be given as their last argument. */
interface Options extends CallOptions {
  readonly idempotencyKey?: string | undefined;
  readonly waitMs?: number | undefined;
  readonly ifMatch?: string | undefined;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The longest that Portico holds an answer. */
const longestWaitMs = 25_000;

/** A client of one Portico, with one tenant's tokens. Nothing is asked before the first call. */
export function createPortico(options: PorticoOptions): Portico {
  const requests = createRequests(options);
  const resources: Record<string, Record<string, unknown>> = {};
  for (const id of Object.keys(operations) as OperationId[]) {
    const row: Row = operations[id];
    const calls = (resources[row.resource] ??= {});
    calls[row.call] = row.lists ? listing(requests, row) : calling(requests, row);
    if (row.call === 'getResult') calls['result'] = resultOf(requests, row);
  }
  const { batch, ...named } = resources;
  // The table has the calls that the type says: both are made of one document.
  return { ...named, batch: batch?.['send'], events: createEvents(requests) } as unknown as Portico;
}

/** A function that takes the path's parameter, the body or the query, and the options, as far as the operation has them. */
function calling(requests: Requests, row: Row) {
  return async (...given: unknown[]): Promise<unknown> => {
    const path = pathOf(row, given);
    const body = row.body === 'none' ? undefined : (given.shift() ?? {});
    const query = row.query ? queryText(given.shift() as Query | undefined) : '';
    const { signal, idempotencyKey = ownKey(row), waitMs = 0, ifMatch } = (given.shift() ?? {}) as Options;
    const incoming = await requests.send({
      ...{ method: row.method, path: path + query, body, signal, waitMs },
      headers: {
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
        ...(ifMatch === undefined ? {} : { 'If-Match': ifMatch }),
      },
      isRepeatable: row.method !== 'POST' || row.key !== 'none' || row.resource === 'batch',
    });
    return answerOf(incoming);
  };
}

/** An operation that needs a key has one of its own for each call, unless the caller gives another. */
const ownKey = ({ key }: Row): string | undefined => (key === 'needed' ? crypto.randomUUID() : undefined);

/** Puts the first argument into the path, where it has a parameter. */
const pathOf = ({ path }: Row, given: unknown[]): string =>
  path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(String(given.shift())));

function queryText(query: Query | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

interface Page {
  readonly items: readonly unknown[];
  readonly cursor?: string;
}

function listing(requests: Requests, row: Row) {
  return (...given: unknown[]) => {
    const path = pathOf(row, given);
    const [query = {}, options = {}] = given as [query?: Query, options?: CallOptions];
    async function page(cursor: Query[string]): Promise<Page> {
      const asked = queryText({ ...query, cursor });
      const { body } = await requests.send({ method: row.method, path: path + asked, isRepeatable: true, ...options });
      return body as Page;
    }
    return {
      page: () => page(query['cursor']),
      async *[Symbol.asyncIterator]() {
        let cursor = query['cursor'];
        do {
          const next = await page(cursor);
          yield* next.items;
          cursor = next.cursor;
        } while (cursor !== undefined);
      },
    };
  };
}

/** Asks until the instance is closed or the time is over: then the answer is the instance as it stands, still running. */
function resultOf(requests: Requests, row: Row) {
  return async (id: string, { timeoutMs, signal }: ResultOptions): Promise<unknown> => {
    const path = pathOf(row, [id]);
    const endsAtMs = performance.now() + timeoutMs;
    for (;;) {
      const waitMs = Math.min(longestWaitMs, Math.max(0, endsAtMs - performance.now()));
      const incoming = await requests.send({ method: row.method, path, waitMs, signal, isRepeatable: true });
      if (incoming.status === 200 || performance.now() >= endsAtMs) return answerOf(incoming);
    }
  };
}
