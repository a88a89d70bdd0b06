import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createAdapters, grants } from './adapters/index.ts';
import type { Config } from './config/config.ts';
import { connectDatabase } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { retryUntilDone } from './timing/retry.ts';

const pingTimeoutMs = 1_000;
const retryEveryMs = 2_000;
const stopPatienceMs = 5_000;

/**
 * The database with its adapters. It may be away: its schema is brought up to date as soon as it answers, and until then
 * {@link Storage.check} says what is missing.
 */
export function openStorage({ config, logger }: { config: Config; logger: Logger }) {
  const stopping = new AbortController();
  const url = config.database.url.reveal();
  const ownerUrl = config.database.ownerUrl.reveal();
  // The program's role is granted what it needs where it is another than the owner.
  const program = url === ownerUrl ? undefined : { role: decodeURIComponent(new URL(url).username), grants };
  let isMigrated = false;

  // Begun before the pool connects: a database with one session serves them one after the other.
  const migration = retryUntilDone({
    work: async () => {
      await migrate({ ownerUrl, program, logger });
      isMigrated = true;
    },
    everyMs: retryEveryMs,
    signal: stopping.signal,
    onFailure: (error) =>
      logger.warn({ err: error, retryInMs: retryEveryMs }, 'the database schema could not be brought up to date'),
  });
  const { poolMax, connectTimeoutMs } = config.database;
  const database = connectDatabase({ url, poolMax, connectTimeoutMs, logger });

  return {
    adapters: createAdapters({ database, settingsOf: config.settingsOf }),

    /** Rejects unless the database answers and its schema is up to date. */
    async check(): Promise<void> {
      await database.ping(pingTimeoutMs);
      if (!isMigrated) throw new Error('the schema is not up to date yet');
      // The owner may have migrated another database than the one that the program uses.
      await database.query('select 1 from schema_migrations limit 1');
    },

    async close(): Promise<void> {
      stopping.abort();
      // A migration that hears nothing from the database any more must not hold the stop up.
      await Promise.race([migration, sleep(stopPatienceMs, undefined, { ref: false })]);
      await database.close();
    },
  };
}

export type Storage = ReturnType<typeof openStorage>;
