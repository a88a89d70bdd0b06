import type { Connection } from '@temporalio/client';
import type { Logger } from 'pino';
import { retryUntilDone } from '../timing/retry.ts';
import { within } from './calls.ts';
import { grpcCode, grpcCodeOf } from './failures.ts';
import { indexedTypes } from './search-attributes.ts';

const deadlineMs = 5_000;
const retryEveryMs = 2_000;

/** Registers the attributes in the background, and tries again until Temporal lets it. */
export function ensureSearchAttributes(options: {
  readonly connection: Connection;
  readonly namespace: string;
  readonly logger: Logger;
}) {
  const { connection, namespace, logger } = options;
  const stopping = new AbortController();
  let isDone = false;

  void retryUntilDone({
    work: async () => {
      await within(connection, { deadlineMs }, () => registerSearchAttributes(connection, namespace));
      isDone = true;
    },
    everyMs: retryEveryMs,
    signal: stopping.signal,
    onFailure: (error) =>
      logger.warn({ err: error, retryInMs: retryEveryMs }, 'search attributes could not be registered'),
  });

  return {
    /** Throws while the attributes are not known to be registered. */
    check(): void {
      if (!isDone) throw new Error('the search attributes are not registered');
    },
    stop: (): void => stopping.abort(),
  };
}

/**
 * Registers the attributes that the namespace lacks. Throws where Portico may not, or where one exists with another type.
 * Temporal lets them be used about two seconds later; starts are answered 503 until then.
 */
async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const wrong = indexedTypes.filter(([name, type]) => (customAttributes[name] ?? type) !== type);
  if (wrong.length > 0) {
    throw new Error(`search attributes have another type in Temporal: ${wrong.map(([name]) => name).join(', ')}`);
  }
  const missing = indexedTypes.filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  } catch (error) {
    // Another replica has registered them.
    if (grpcCodeOf(error) !== grpcCode.ALREADY_EXISTS) throw error;
  }
}
