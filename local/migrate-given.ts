import type { Logger } from 'pino';
import { migrateDatabase } from '../src/commands/migrate.ts';
import { parseMigrationConfig } from '../src/config/migration-config.ts';
import { onEachNew, retryUntilDone } from '../src/timing/retry.ts';
import { withTimeLimit } from '../src/timing/time-limit.ts';
import type { Plan } from './plan.ts';

const retryEveryMs = 2_000;
const stopPatienceMs = 5_000;

type GivenDatabase = ReturnType<typeof parseMigrationConfig>;

/**
 * The database that the environment names, if it is migrated here: somebody gave its owner's URL, or this is the only
 * process. Throws a `ConfigError` for a URL that is none.
 */
export function givenDatabaseOf({ missing, given, config }: Plan): GivenDatabase | undefined {
  if (missing.database) return undefined;
  const isOurs = config.role === 'all' || given['DATABASE_OWNER_URL'] !== undefined;
  return isOurs ? parseMigrationConfig(given) : undefined;
}

/**
 * Migrates that database, and tries again until it succeeds. Portico serves meanwhile, and its workers wait for the
 * schema.
 */
export function migrateGiven({ url, ownerUrl }: GivenDatabase, logger: Logger) {
  const stopping = new AbortController();
  const migration = retryUntilDone({
    work: () => migrateDatabase({ url: url.reveal(), ownerUrl: ownerUrl.reveal(), logger }),
    everyMs: retryEveryMs,
    signal: stopping.signal,
    onFailure: onEachNew((error) => logger.warn({ err: error }, 'the database could not be migrated yet')),
  });
  return {
    /** Ends the tries. A migration that hears nothing from the database does not hold the stop up. */
    async stop(): Promise<void> {
      stopping.abort();
      await withTimeLimit(migration, stopPatienceMs).catch(() => undefined);
    },
  };
}
