import type { Logger } from 'pino';
import { retryUntilDone } from '../timing/retry.ts';
import { grpcCode, grpcCodeOf } from './failures.ts';
import { indexedTypes, probeQuery } from './search-attributes.ts';
import type { BoundServices, Connection } from './services.ts';

const deadlineMs = 5_000;
const retryEveryMs = 2_000;
/** All processes of a namespace share ten visibility calls a second, and an operator takes a while. */
const probeEveryMs = 10_000;

/**
 * Registers the attributes in the background. Where Portico may not, it waits until somebody else has, which it sees by a
 * query that names them: no permission of the operator service is needed for that.
 */
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
      await ensureOnce(connection.within({ deadlineMs }), namespace);
      isDone = true;
    },
    everyMs: waitAfter,
    signal: stopping.signal,
    onFailure: (error) =>
      logger.warn({ err: error, retryInMs: waitAfter(error) }, 'search attributes could not be registered'),
  });

  return {
    /** Throws while the attributes are not known to be registered. */
    check(): void {
      if (!isDone) throw new Error('the search attributes are not registered');
    },
    stop: (): void => stopping.abort(),
  };
}

const waitAfter = (error: unknown): number => (isRefused(error) ? probeEveryMs : retryEveryMs);

async function ensureOnce(services: BoundServices, namespace: string): Promise<void> {
  try {
    await registerSearchAttributes(services, namespace);
  } catch (error) {
    if (!isRefused(error)) throw error;
    if (await areRegistered(services, namespace)) return;
    throw new Error('Portico may not register the search attributes, and they are not there', { cause: error });
  }
}

// An identity without the permission, and a frontend without an operator service, as some hosted ones have.
const refusals: ReadonlySet<number | undefined> = new Set([
  grpcCode.PERMISSION_DENIED,
  grpcCode.UNAUTHENTICATED,
  grpcCode.UNIMPLEMENTED,
]);
/** True for a refusal, and for an error that has one as its cause. */
const isRefused = (error: unknown): boolean => refusals.has(grpcCodeOf(error));

/** True where a query can name the attributes. */
async function areRegistered(services: BoundServices, namespace: string): Promise<boolean> {
  try {
    await services.workflowService.countWorkflowExecutions({ namespace, query: probeQuery });
    return true;
  } catch (error) {
    if (grpcCodeOf(error) === grpcCode.INVALID_ARGUMENT) return false;
    throw error;
  }
}

/**
 * Registers the attributes that the namespace lacks. Throws where Portico may not, or where one exists with another type.
 * Temporal lets them be used about two seconds later; starts are answered 503 until then.
 */
async function registerSearchAttributes(services: BoundServices, namespace: string): Promise<void> {
  const { customAttributes } = await services.operatorService.listSearchAttributes({ namespace });
  const wrong = indexedTypes.filter(([name, type]) => (customAttributes[name] ?? type) !== type);
  if (wrong.length > 0) {
    throw new Error(`search attributes have another type in Temporal: ${wrong.map(([name]) => name).join(', ')}`);
  }
  const missing = indexedTypes.filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return;
  try {
    await services.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  } catch (error) {
    // Another replica has registered them.
    if (grpcCodeOf(error) !== grpcCode.ALREADY_EXISTS) throw error;
  }
}
