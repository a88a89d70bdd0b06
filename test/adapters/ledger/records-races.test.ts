import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { audit } from '../../harness/audit.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { until } from '../../harness/until.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason, withClient } from '../../servers/postgres.ts';
import { lockAccount, lockPhases, patientUrl, waitingStatements } from '../../servers/postgres-locks.ts';

// The embedded database has one connection: nothing here can be shown on it.
describe.skipIf(postgresSkipReason() !== undefined)('the end of a transfer under concurrency', () => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
    database = connectDatabase({ url: patientUrl(test.url), poolMax: 4, logger: silentLogger });
  });
  afterAll(async () => {
    await database.close();
    await test.close();
  });

  it('waits for a deposit that is under way, and says that the money has landed', async () => {
    const { url } = test;
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

  it('waits for a withdrawal that has read the transfer and not yet taken the money', async () => {
    const { url } = test;
    const key = await openTransfer(database, await openTenant(database));
    // Phases can be read and not written: the withdrawal stops between the two.
    const lock = await lockPhases(url);
    const withdrawn = createLedger(database).withdraw(key);
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    const ended = createTransferRecords(database).endTransfer({ ...key, result: { outcome: 'expired' } });
    // Without the withdrawal's lock the end waits for nothing, and the money stays in clearing for ever.
    const first = await Promise.race([
      ended,
      until(
        () => waitingStatements(url),
        (count) => count === 2,
      ),
    ]);
    await lock.release();
    expect(first).toBe(2);
    expect(await withdrawn).toEqual({ kind: 'reserved' });
    expect(await ended).toEqual({ money: 'reserved' });
    await createLedger(database).refund(key);
    expect(await withClient(url, (client) => audit(client, { atRest: true }))).toEqual([]);
  });
});
