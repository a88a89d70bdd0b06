import { connectDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { audit } from '../harness/audit.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { startPostgres, withClient } from './postgres.ts';

export type CrowdedDatabase = Awaited<ReturnType<typeof openCrowdedDatabase>>;

/** A migrated database on a PostgreSQL of its own, for many at once. */
export async function openCrowdedDatabase() {
  const cluster = await startPostgres();
  const url = cluster.urlOf(await cluster.createDatabase());
  await migrate({ ownerUrl: url, logger: silentLogger });
  // A slow machine takes seconds to open so many connections at once.
  const database = connectDatabase({ url, poolMax: 32, connectTimeoutMs: 60_000, logger: silentLogger });
  return {
    cluster,
    url,
    database,
    /** What is wrong with the money, while no transfer is under way. */
    auditAtRest: () => withClient(url, (client) => audit(client, { atRest: true })),
    async close(): Promise<void> {
      await database.close();
      await cluster.stop();
    },
  };
}
