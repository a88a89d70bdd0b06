import type { Logger } from 'pino';
import { createAdapters, grants } from './adapters/index.ts';
import type { QueueObserver } from './adapters/queues/broker.ts';
import type { Config } from './config/config.ts';
import { checkCommits, commitsRemedy, findLossyCommits } from './database/commits.ts';
import { connectDatabase, type Database } from './database/database.ts';
import { checkSchema, schemaRemedy } from './database/schema.ts';
import type { Metrics } from './observability/metrics.ts';
import { onEachNew, retryUntilDone } from './timing/retry.ts';

const pingTimeoutMs = 1_000;
const retryEveryMs = 2_000;

/**
 * The database with its adapters, as the role of the program. It may be away, and its schema may be older than this
 * program: nothing here migrates. The checks say what is missing.
 */
export function openStorage(options: {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'countSchemaWait' | 'deliveries'>;
  readonly queueObserver: QueueObserver;
}) {
  const { config, logger, metrics, queueObserver } = options;
  const { countSchemaWait: onSchemaWait, deliveries } = metrics;
  const { url, poolMax, connectTimeoutMs } = config.database;
  const database = connectDatabase({ url: url.reveal(), poolMax, connectTimeoutMs, logger, onSchemaWait });
  const adaptersIn = (lane: string, deliveriesLane = lane) =>
    createAdapters({
      database: database.inLane(lane),
      deliveriesDatabase: database.inLane(deliveriesLane),
      settingsOf: config.settingsOf,
      onEndpointGone: deliveries.countGoneEndpoint,
      queueObserver,
    });
  const ping = () => database.ping(pingTimeoutMs);
  const closing = new AbortController();
  const warned = warnOfLossyCommits(database, logger, closing.signal);

  return {
    /** For requests: they wait for a connection in another line than the steps of processes. */
    adapters: adaptersIn('requests'),
    /** For the activities of processes, and for the reconciler. A thousand deliveries at once hold up no money. */
    workAdapters: adaptersIn('work', 'deliveries'),

    checks: {
      database: { name: 'database', check: ping, remedy: 'see that PostgreSQL runs and that DATABASE_URL names it' },
      schema: { name: 'schema', check: () => checkSchema(database, grants), remedy: schemaRemedy },
      commits: { name: 'commits', check: () => checkCommits(database), remedy: commitsRemedy },
    },

    /**
     * Resolves once the schema is at least as new as this program and its role has its rights, or when `signal` aborts.
     * Calls `onMissing` with each reason to wait that differs from the one before.
     */
    async untilUsable(signal: AbortSignal, onMissing: (reason: string) => void): Promise<void> {
      await retryUntilDone({
        work: () => checkSchema(database, grants),
        everyMs: retryEveryMs,
        signal,
        onFailure: onEachNew((_error, reason) => onMissing(reason)),
      });
    },

    async close(): Promise<void> {
      closing.abort();
      await warned;
      await database.close();
    },
  };
}

export type Storage = ReturnType<typeof openStorage>;

/** Asks once, as soon as the database answers. Never rejects. */
const warnOfLossyCommits = (database: Database, logger: Logger, signal: AbortSignal): Promise<boolean> =>
  retryUntilDone({
    work: async () => {
      const reason = await findLossyCommits(database);
      if (reason !== undefined) logger.warn({ reason, remedy: commitsRemedy }, 'commits are not synchronous');
    },
    everyMs: retryEveryMs,
    signal,
    onFailure: () => undefined,
  });
