import pg from 'pg';
import { withClient } from './postgres.ts';

/** How many statements of Portico wait for a lock in the database of that URL. */
export const waitingStatements = (url: string): Promise<number> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where application_name = 'portico' and datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]?.count ?? 0;
  });

/** The URL of statements that wait for a lock of a test for five seconds instead of two: a slow machine needs them. */
export const patientUrl = (url: string): string => `${url}&lock_timeout=0&statement_timeout=0`;

/** Holds an account, so that no payment from or to it can go on. */
export const lockAccount = (url: string, { tenant, accountId }: { tenant: string; accountId: string }) =>
  hold(url, 'select from accounts where tenant = $1 and account_id = $2 for update', [tenant, accountId]);

/** Lets nobody write that a transfer has reached a phase, while everybody may read. */
export const lockPhases = (url: string) => hold(url, 'lock table transfer_phases in share mode');

async function hold(url: string, statement: string, values: readonly string[] = []) {
  const client = new pg.Client({ connectionString: url });
  // A server that is killed takes the lock with it.
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query(statement, [...values]);
  const lockedAt = performance.now();
  return {
    /** Resolves with how many milliseconds it was held. */
    async release(): Promise<number> {
      await client.end();
      return performance.now() - lockedAt;
    },
  };
}
