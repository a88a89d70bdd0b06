import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import type { TransferKey } from '../../../src/adapters/ledger/phases.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { Problem } from '../../../src/problems.ts';
import { openingOf, openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { auditRepeatedly } from '../../harness/money-report.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { until } from '../../harness/until.ts';
import { type CrowdedDatabase, openCrowdedDatabase } from '../../servers/crowded-database.ts';
import { postgresSkipReason } from '../../servers/postgres.ts';
import { lockAccount, patientUrl, waitingStatements } from '../../servers/postgres-locks.ts';

// The embedded database has one connection: nothing here can be shown on it.
describe.skipIf(postgresSkipReason() !== undefined)('the ledger under concurrency', () => {
  let crowded: CrowdedDatabase;
  let database: Database;
  let url: string;
  beforeAll(async () => {
    crowded = await openCrowdedDatabase();
    ({ database, url } = crowded);
  });
  afterAll(() => crowded.close());

  it('keeps every invariant through sixty-four-way races of all operations in random order', async () => {
    const ledger = createLedger(database);
    const tenant = await openTenant(database);
    const auditing = auditRepeatedly(url);
    // A refund is the slowest of them: among many others it never wins, so not all take part in every race.
    const race = fc.subarray(['deposit', 'settle'] as const).chain((others) => {
      const operation = fc.constantFrom(...(['withdraw', 'refund', ...others] as const));
      return fc.array(fc.record({ operation, delayMs: fc.nat(4) }), { minLength: 64, maxLength: 64 });
    });
    // What went before the race decides which ends are possible in it.
    for (const before of [[], ['withdraw'], ['refund']] as const) {
      await fc.assert(
        fc.asyncProperty(race, fc.constantFrom(1n, 7n, 2_000n), async (calls, amountMinor) => {
          const key = await openTransfer(database, tenant, { transferId: randomUUID(), amountMinor });
          for (const each of before) await ledger[each](key);
          const running = calls.map(async (each) => {
            await sleep(each.delayMs);
            await insist<unknown>(() => ledger[each.operation](key));
          });
          await Promise.all(running);
          expect(await crowded.auditAtRest()).toEqual([]);
        }),
        { numRuns: 25, endOnFailure: true },
      );
    }
    await until(
      () => auditing.seen.audits,
      (count) => count > 5,
    );
    expect((await auditing.stop()).findings).toEqual([]);
    expect(await crowded.auditAtRest()).toEqual([]);
    const ends = await database.query<{ outcome: string }>('select distinct outcome from transfer_phases order by 1');
    const everyEnd = ['posted', 'refunded', 'rejected', 'reserved', 'settled', 'voided'];
    expect(ends.map(({ outcome }) => outcome)).toEqual(everyEnd);
  });

  it('lets transfers run against each other without a deadlock', async () => {
    const ledger = createLedger(database);
    const tenant = await openTenant(database);
    const { openAccount, findAccount } = createAccounts(database);
    await openAccount({ tenant, accountId: 'a', currency: 'EUR', openingBalanceMinor: 10_000n });
    await openAccount({ tenant, accountId: 'b', currency: 'EUR', openingBalanceMinor: 10_000n });
    const transfers = Array.from({ length: 200 }, async (_, index) => {
      const [from, to] = index % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
      const key = await openTransfer(database, tenant, { transferId: randomUUID(), from, to, amountMinor: 10n });
      expect(await insist(() => ledger.withdraw(key))).toEqual({ kind: 'reserved' });
      expect(await insist(() => ledger.deposit(key))).toEqual({ kind: 'posted' });
    });
    await Promise.all(transfers);
    expect((await findAccount({ tenant, accountId: 'a' }))?.balanceMinor).toBe(10_000n);
    expect(await crowded.auditAtRest()).toEqual([]);
  });

  it('makes no transfer wait for another one of the same tenant, though both go through clearing', async () => {
    const tenant = await openTenant(database);
    await createAccounts(database).openAccount({ tenant, accountId: 'c', currency: 'EUR', openingBalanceMinor: 10n });
    const first = await openTransfer(database, tenant);
    const second = await openTransfer(database, tenant, { transferId: 'other', from: 'c', amountMinor: 10n });
    const signals = new EventEmitter();
    const [held, released] = [once(signals, 'held'), once(signals, 'released')];
    const slowly: Database = {
      ...database,
      transaction: (work) =>
        database.transaction(async (tx) => {
          const answer = await work(tx);
          signals.emit('held');
          await released;
          return answer;
        }),
    };
    const withdrawn = createLedger(slowly).withdraw(first);
    await held;
    expect(await createLedger(database).withdraw(second)).toEqual({ kind: 'reserved' });
    expect(await createLedger(database).deposit(second)).toEqual({ kind: 'posted' });
    signals.emit('released');
    expect(await withdrawn).toEqual({ kind: 'reserved' });
    await createLedger(database).refund(first);
  });

  it('does not let a refund pass a withdrawal that is stalled inside its transaction', async () => {
    const ledger = createLedger(database);
    const key = await openTransfer(database, await openTenant(database));
    const stalled = new pg.Client({ connectionString: url });
    await stalled.connect();
    try {
      await stalled.query('begin');
      await stalled.query("insert into transfer_phases values ($1, $2, 'reserve', 'reserved')", [
        key.tenant,
        key.transferId,
      ]);
      const refused = await ledger.refund(key).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'database-unavailable', cause: { code: '55P03' } });
      expect(refused instanceof Problem && refused.kind.retryable).toBe(true);
    } finally {
      await stalled.end();
    }
    expect(await ledger.refund(key)).toEqual({ kind: 'voided' });
    expect(await ledger.withdraw(key)).toEqual({ kind: 'conflict', with: 'voided' });
  });

  it('does not end a transfer while its money is being taken', async () => {
    const patient = connectDatabase({ url: patientUrl(url), poolMax: 2, logger: silentLogger });
    const key = await openTransfer(database, await openTenant(database));
    const lock = await lockAccount(url, { tenant: key.tenant, accountId: 'payer' });
    const withdrawn = createLedger(patient).withdraw(key);
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    const ended = createTransferRecords(patient).endTransfer({ ...key, result: { outcome: 'expired' } });
    await until(
      () => waitingStatements(url),
      (count) => count === 2,
    );
    await lock.release();
    expect(await withdrawn).toEqual({ kind: 'reserved' });
    expect(await ended).toEqual({ money: 'reserved' });
    await patient.close();
    await createLedger(database).refund(key);
    expect(await crowded.auditAtRest()).toEqual([]);
  });

  it('loses nothing when the server is killed and restarted under load, and goes on by itself', async () => {
    const tenant = await openTenant(database);
    await createAccounts(database).openAccount({
      tenant,
      accountId: 'rich',
      currency: 'EUR',
      openingBalanceMinor: 1_000_000n,
    });
    const load = startLoad(database, tenant);
    const auditing = auditRepeatedly(url);
    for (let round = 0; round < 3; round += 1) {
      const before = load.acknowledged.length;
      await until(
        () => load.acknowledged.length,
        (count) => count >= before + 20,
      );
      await crowded.cluster.kill();
      await until(
        () => load.failures,
        (count) => count > 0,
      );
      await crowded.cluster.restart();
      const at = load.acknowledged.length;
      // Five seconds are promised, and a slow machine may take six times that.
      await until(
        () => load.acknowledged.length,
        (count) => count > at,
        { withinMs: 30_000 },
      );
      load.failures = 0;
    }
    await load.stop();
    expect(load.unexpected).toEqual([]);
    const { endTransfer } = createTransferRecords(database);
    for (const key of load.acknowledged)
      // The end that was acknowledged is there: another one is not taken.
      expect(await endTransfer({ ...key, result: { outcome: 'cancelled' } })).toEqual({ outcome: 'completed' });
    expect((await auditing.stop()).findings).toEqual([]);
    expect(await crowded.auditAtRest()).toEqual([]);
  });
});

/**
 * Repeats with the same key whatever may be repeated, as every caller does: a wait that was too long is no fault of the
 * ledger. A deadlock would be one, and is not repeated.
 */
async function insist<T>(work: () => Promise<T>, onFailure?: () => void): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isDeadlock =
        error instanceof Problem && error.cause instanceof pg.DatabaseError && error.cause.code === '40P01';
      if (!(error instanceof Problem && error.kind.retryable) || isDeadlock) throw error;
      onFailure?.();
      await sleep(20);
    }
  }
}

/** Eight callers, each moving money from `rich` to `payee`, repeating with the same key whatever may be repeated. */
function startLoad(database: Database, tenant: string) {
  const ledger = createLedger(database);
  const records = createTransferRecords(database);
  const load = {
    acknowledged: [] as TransferKey[],
    unexpected: [] as unknown[],
    failures: 0,
    stop: async () => {
      isStopping = true;
      await Promise.all(callers);
    },
  };
  let isStopping = false;
  const noteFailure = () => {
    load.failures += 1;
  };

  async function call(): Promise<void> {
    while (!isStopping) {
      const opening = openingOf(tenant, { transferId: randomUUID(), from: 'rich', amountMinor: 1n });
      await insist(() => records.openTransfer(opening), noteFailure);
      expect(await insist(() => ledger.withdraw(opening), noteFailure)).toEqual({ kind: 'reserved' });
      expect(await insist(() => ledger.deposit(opening), noteFailure)).toEqual({ kind: 'posted' });
      await insist(() => records.endTransfer({ ...opening, result: { outcome: 'completed' } }), noteFailure);
      load.acknowledged.push({ tenant, transferId: opening.transferId });
    }
  }

  const callers = Array.from({ length: 8 }, () => call().catch((error: unknown) => load.unexpected.push(error)));
  return load;
}
