import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openEmbeddedDatabase } from '../local/database/embedded.ts';
import { createAdapters, grants } from './adapters/index.ts';
import type { Config } from './config/config.ts';
import { connectDatabase, type DatabaseConnection } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { retryUntilDone } from './timing/retry.ts';

const pingTimeoutMs = 1_000;
const retryEveryMs = 2_000;
const stopPatienceMs = 5_000;

/**
 * The database with its adapters. The embedded one is open and up to date when this resolves; PostgreSQL may be away:
 * its schema is brought up to date as soon as it answers, and until then {@link Storage.check} says what is missing.
 */
export async function openStorage({ config, logger }: { config: Config; logger: Logger }) {
  const stopping = new AbortController();
  const embedded = await openEmbedded(config, logger);
  const { connection, ownerConnection, grantTo } = connectionsOf(config, embedded?.connection);
  let isMigrated = false;

  async function migrateOnce(): Promise<void> {
    const program = grantTo === undefined ? undefined : { role: grantTo, grants };
    await migrate({ ownerConnection, program, logger });
    isMigrated = true;
  }
  const migration =
    embedded === undefined
      ? retryUntilDone({
          work: migrateOnce,
          everyMs: retryEveryMs,
          signal: stopping.signal,
          onFailure: (error) =>
            logger.warn({ err: error, retryInMs: retryEveryMs }, 'the database schema could not be brought up to date'),
        })
      : migrateOnce();
  // The embedded engine serves one client at a time: the pool has to wait for the migration.
  if (embedded !== undefined) {
    try {
      await migration;
    } catch (error) {
      await embedded.close();
      throw error;
    }
  }
  const database = connectDatabase({ connection, poolMax: config.database?.poolMax ?? 1, logger });

  return {
    kind: connection.kind,
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
      // One that hears nothing from the database any more must not hold the stop up.
      await Promise.race([migration.catch(() => undefined), sleep(stopPatienceMs, undefined, { ref: false })]);
      await database.close();
      await embedded?.close();
    },
  };
}

export type Storage = Awaited<ReturnType<typeof openStorage>>;

async function openEmbedded(config: Config, logger: Logger) {
  if (config.database !== undefined) return undefined;
  const folder = join(config.stateDir, 'database');
  return openEmbeddedDatabase({ folder, logger });
}

/** How the program reaches the database, how its schema's owner does, and whom the owner lets in. */
function connectionsOf(
  config: Config,
  embedded: DatabaseConnection | undefined,
): { connection: DatabaseConnection; ownerConnection: DatabaseConnection; grantTo?: string | undefined } {
  if (embedded !== undefined) return { connection: embedded, ownerConnection: embedded };
  if (config.database === undefined) throw new Error('there is neither an embedded database nor a configured one');
  const url = config.database.url.reveal();
  const ownerUrl = config.database.ownerUrl.reveal();
  const connection = { kind: 'postgres', connectionString: url } as const;
  if (url === ownerUrl) return { connection, ownerConnection: connection };
  return {
    connection,
    ownerConnection: { kind: 'postgres', connectionString: ownerUrl },
    grantTo: decodeURIComponent(new URL(url).username),
  };
}
