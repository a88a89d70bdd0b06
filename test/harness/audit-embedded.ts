import { join } from 'node:path';
import pg from 'pg';
import { openEmbeddedDatabase } from '../../local/database/embedded.ts';
import { type MoneyReport, reportOf } from './money-report.ts';
import { silentLogger } from './silent-logger.ts';

/** Looks into the embedded database of a Portico that has ended, without any code of the ledger. */
export async function inspectEmbedded(stateDir: string, tenant: string): Promise<MoneyReport> {
  const embedded = await openEmbeddedDatabase({ folder: join(stateDir, 'database'), logger: silentLogger });
  try {
    const client = new pg.Client({ connectionString: embedded.url });
    await client.connect();
    try {
      return await reportOf(client, tenant);
    } finally {
      await client.end();
    }
  } finally {
    await embedded.close();
  }
}
