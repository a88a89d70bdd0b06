import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedDatabase } from '../../local/database/embedded.ts';
import { connectDatabase, type Database, type DatabaseConnection } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { layEmbeddedDatabase } from './embedded.ts';
import { postgresSkipReason, startPostgres } from './postgres.ts';

export interface TestDatabase {
  readonly database: Database;
  readonly connection: DatabaseConnection;
  close(): Promise<void>;
}

/** The kinds of database that tests can run on here. */
export const databaseKinds: readonly Database['kind'][] =
  postgresSkipReason() === undefined ? ['embedded', 'postgres'] : ['embedded'];

/** A migrated, empty database of its own, real in either kind. Takes two to four seconds. */
export const openTestDatabase = (kind: Database['kind']): Promise<TestDatabase> =>
  kind === 'embedded' ? openEmbedded() : openPostgres();

async function openEmbedded(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-db-'));
  await layEmbeddedDatabase(folder);
  const embedded = await openEmbeddedDatabase({ folder, logger: silentLogger });
  const { connection } = embedded;
  await migrate({ ownerConnection: connection, logger: silentLogger });
  const database = connectDatabase({ connection, poolMax: 1, logger: silentLogger });
  return {
    database,
    connection,
    async close() {
      await database.close();
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openPostgres(): Promise<TestDatabase> {
  const cluster = await startPostgres();
  const connection = { kind: 'postgres', connectionString: cluster.urlOf(await cluster.createDatabase()) } as const;
  await migrate({ ownerConnection: connection, logger: silentLogger });
  const database = connectDatabase({ connection, poolMax: 10, logger: silentLogger });
  return {
    database,
    connection,
    async close() {
      await database.close();
      await cluster.stop();
    },
  };
}
