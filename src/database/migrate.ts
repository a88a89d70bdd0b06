import { runner } from 'node-pg-migrate';
import pg from 'pg';
import type { Logger } from 'pino';
import { applyGrants, type Grants } from './grants.ts';
import { migrationsFolder, ownMigrations } from './schema.ts';

/** A migration that waits longer for others, or for another migration, gives up; it may be started again. */
const lockTimeoutMs = 30_000;
/** No statement of a migration takes longer, and from a database that is gone nothing is heard at all. */
const statementLimitMs = 600_000;

interface MigrateOptions {
  /** The program's role and all that it may do. Nothing is granted where it is the role of `ownerUrl` itself. */
  readonly program?: { readonly role: string; readonly grants: Grants } | undefined;
  /** A connection URL, as the role that owns the schema. */
  readonly ownerUrl: string;
  readonly logger: Logger;
}

/**
 * Brings the schema up to date by the SQL files in `migrations/`, each in a transaction, and the grants of the program's
 * role with it. A schema that a newer release has migrated keeps its grants: replicas of that release may run. Safe to call
 * at every start and by many processes at once. Never goes back.
 */
export async function migrate({ ownerUrl, program, logger }: MigrateOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    application_name: 'portico migrations',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: statementLimitMs,
    lock_timeout: lockTimeoutMs,
  });
  client.on('error', (error) => logger.warn({ reason: error.message }, 'a database connection was lost'));
  await client.connect();
  try {
    await runner({
      dbClient: client,
      dir: migrationsFolder,
      direction: 'up',
      migrationsTable: 'schema_migrations',
      advisoryLockMode: 'wait',
      logger: {
        info: (message) => logger.debug(message),
        warn: (message) => logger.warn(message),
        error: (message) => logger.error(message),
      },
    });
    if (program === undefined || (await isOwnRole(client, program.role))) return;
    if (await isSchemaNewer(client)) logger.info('the schema is newer than this program: its grants stay as they are');
    else await applyGrants(client, program.role, program.grants);
  } finally {
    await client.end();
  }
}

/** Two URLs may name one role: a revocation would take the owner's own rights. */
async function isOwnRole(client: pg.Client, role: string): Promise<boolean> {
  const { rows } = await client.query<{ role: string }>('select current_user as role');
  return rows[0]?.role === role;
}

/** True where a migration has run that this program does not have. */
async function isSchemaNewer(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query('select 1 from schema_migrations where name <> all ($1) limit 1', [
    ownMigrations(),
  ]);
  return rows.length > 0;
}
