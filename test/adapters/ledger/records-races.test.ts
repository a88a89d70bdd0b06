import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { until } from '../../harness/until.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason } from '../../servers/postgres.ts';

// The embedded database has one connection: nothing here can be shown on it.
describe.skipIf(postgresSkipReason() !== undefined)('the end of a transfer under concurrency', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
  });
  afterAll(() => test.close());

  it('waits for a deposit that is under way, and says that the money has landed', async () => {
    const { database, url } = test;
    const waiting = async () => {
      const [row] = await database.query<{ count: bigint }>(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      );
      return Number(row?.count);
    };
    const key = await openTransfer(database, await openTenant(database));
    const ledger = createLedger(database);
    await ledger.withdraw(key);
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    try {
      await blocker.query('begin');
      await blocker.query("select 1 from accounts where tenant = $1 and account_id = 'payee' for update", [key.tenant]);
      const deposited = ledger.deposit(key);
      await until(async () => ({ isTrue: (await waiting()) === 1, seen: await waiting() }));
      const ended = createTransferRecords(database).endTransfer({ ...key, result: { outcome: 'cancelled' } });
      await until(async () => ({ isTrue: (await waiting()) === 2, seen: await waiting() }));
      await blocker.query('commit');
      expect(await deposited).toEqual({ kind: 'posted' });
      expect(await ended).toEqual({ money: 'posted' });
    } finally {
      await blocker.end();
    }
  });
});
