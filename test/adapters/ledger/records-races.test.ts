import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { until } from '../../harness/until.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason } from '../../servers/postgres.ts';
import { lockAccount, waitingStatements } from '../../servers/postgres-locks.ts';

// The embedded database has one connection: nothing here can be shown on it.
describe.skipIf(postgresSkipReason() !== undefined)('the end of a transfer under concurrency', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
  });
  afterAll(() => test.close());

  it('waits for a deposit that is under way, and says that the money has landed', async () => {
    const { database, url } = test;
    const key = await openTransfer(database, await openTenant(database));
    const ledger = createLedger(database);
    await ledger.withdraw(key);
    const lock = await lockAccount(url, { tenant: key.tenant, accountId: 'payee' });
    const deposited = ledger.deposit(key);
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    const ended = createTransferRecords(database).endTransfer({ ...key, result: { outcome: 'cancelled' } });
    await until(
      () => waitingStatements(url),
      (count) => count === 2,
    );
    await lock.release();
    expect(await deposited).toEqual({ kind: 'posted' });
    expect(await ended).toEqual({ money: 'posted' });
  });
});
