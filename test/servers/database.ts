import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedDatabase } from '../../local/database/embedded.ts';
import { connectDatabase, type Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { layEmbeddedDatabase } from './embedded.ts';
import { postgresSkipReason, startPostgres } from './postgres.ts';

/** What runs it: an engine inside this process, or a server. */
export type DatabaseKind = 'embedded' | 'postgres';

export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  close(): Promise<void>;
}

/** The kinds of database that tests can run on here. */
export const databaseKinds: readonly DatabaseKind[] =
  postgresSkipReason() === undefined ? ['embedded', 'postgres'] : ['embedded'];

/** A migrated, empty database of its own, real in either kind. Takes two to four seconds. */
export const openTestDatabase = (kind: DatabaseKind): Promise<TestDatabase> =>
  kind === 'embedded' ? openEmbedded() : openPostgres();

async function openEmbedded(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-db-'));
  await layEmbeddedDatabase(folder);
  const embedded = await openEmbeddedDatabase({ folder, logger: silentLogger });
  const { url } = embedded;
  await migrate({ ownerUrl: url, logger: silentLogger });
  const database = connectDatabase({ url, poolMax: 1, connectTimeoutMs: 5_000, logger: silentLogger });
  return {
    database,
    url,
    async close() {
      await database.close();
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openPostgres(): Promise<TestDatabase> {
  const cluster = await startPostgres();
  const url = cluster.urlOf(await cluster.createDatabase());
  await migrate({ ownerUrl: url, logger: silentLogger });
  const database = connectDatabase({ url, poolMax: 10, logger: silentLogger });
  return {
    database,
    url,
    async close() {
      await database.close();
      await cluster.stop();
    },
  };
}
