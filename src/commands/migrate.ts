import { grants } from '../adapters/index.ts';
import { connectDatabase } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { checkSchema } from '../database/schema.ts';
import type { Logger } from '../observability/logger.ts';

interface MigrateDatabaseOptions {
  /** As the role of the program. */
  readonly url: string;
  /** As the owner of the schema; may be the same role, or the same URL. */
  readonly ownerUrl: string;
  readonly logger: Logger;
}

/**
 * Brings the schema up to date as its owner, and gives the role of the program its rights. Rejects where that role cannot
 * use the database afterwards: the two URLs may name two databases.
 */
export async function migrateDatabase({ url, ownerUrl, logger }: MigrateDatabaseOptions): Promise<void> {
  const program = connectDatabase({ url, poolMax: 1, logger });
  try {
    // A pool may let a URL in as another role than the one that the URL names.
    const [row] = await program.query<{ role: string }>('select current_user as role');
    if (row === undefined) throw new Error('the database did not name the role of the program');
    await migrate({ ownerUrl, program: { role: row.role, grants }, logger });
    await checkSchema(program, grants);
  } finally {
    await program.close();
  }
}
