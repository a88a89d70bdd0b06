import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { Problem } from '../../../src/problems.ts';
import { openingOf, openTenant } from '../../fixtures/opened-transfer.ts';
import { auditRepeatedly } from '../../harness/money-report.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { until } from '../../harness/until.ts';
import { type CrowdedDatabase, openCrowdedDatabase } from '../../servers/crowded-database.ts';
import { postgresSkipReason } from '../../servers/postgres.ts';
import { lockAccount, patientUrl, waitingStatements } from '../../servers/postgres-locks.ts';

const result = { outcome: 'completed' };

// The embedded database has one connection: nothing here can be shown on it.
describe.skipIf(postgresSkipReason() !== undefined)('transfers at once under concurrency', () => {
  let crowded: CrowdedDatabase;
  let database: Database;
  let url: string;
  beforeAll(async () => {
    crowded = await openCrowdedDatabase();
    ({ database, url } = crowded);
  });
  afterAll(() => crowded.close());
  const balanceOf = async (tenant: string, accountId: string) =>
    (await createAccounts(database).findAccount({ tenant, accountId }))?.balanceMinor;

  it('keep every invariant through races with each step of the same transfer, in random order', async () => {
    const ledger = createLedger(database);
    const records = createTransferRecords(database);
    const tenant = await openTenant(database);
    const auditing = auditRepeatedly(url);
    const seen = new Set<string>();
    const race = fc.subarray(['open', 'deposit', 'cancel'] as const).chain((others) => {
      const step = fc.constantFrom(...(['atOnce', 'withdraw', 'refund', ...others] as const));
      return fc.array(fc.record({ step, delayMs: fc.nat(8) }), { minLength: 16, maxLength: 16 });
    });
    await fc.assert(
      fc.asyncProperty(race, fc.boolean(), async (calls, isOpened) => {
        const opening = openingOf(tenant, { transferId: randomUUID(), amountMinor: 1n });
        const { transferId } = opening;
        const key = { tenant, transferId };
        const steps = {
          atOnce: () => records.transferAtOnce({ ...opening, result }),
          open: () => records.openTransfer(opening),
          withdraw: () => ledger.withdraw(key),
          deposit: () => ledger.deposit(key),
          refund: () => ledger.refund(key),
          cancel: () => records.endTransfer({ ...key, result: { outcome: 'cancelled' } }),
        };
        if (isOpened) await steps.open();
        await Promise.all(
          calls.map(async ({ step, delayMs }) => {
            await sleep(delayMs);
            await insist<unknown>(steps[step]);
          }),
        );
        await insist(() => ledger.refund(key));
        const [end] = await database.query<{ outcome: string | null; resolve: string | null }>(
          `select t.outcome, p.outcome as resolve from transfers t
           left join transfer_phases p on (p.tenant, p.transfer_id, p.phase) = (t.tenant, t.transfer_id, 'resolve')
           where t.tenant = $1 and t.transfer_id = $2`,
          [tenant, transferId],
        );
        seen.add(`${end?.outcome ?? 'open'} ${end?.resolve ?? 'untouched'}`);
      }),
      { numRuns: 60, endOnFailure: true },
    );
    await until(
      () => auditing.seen.audits,
      (count) => count > 5,
    );
    expect((await auditing.stop()).findings).toEqual([]);
    expect(await crowded.auditAtRest()).toEqual([]);
    const ends = ['completed posted', 'cancelled untouched', 'open untouched', 'open refunded'];
    expect([...seen]).toEqual(expect.arrayContaining(ends));
  });

  it('run against each other without a deadlock', async () => {
    const { transferAtOnce } = createTransferRecords(database);
    const tenant = await openTenant(database);
    const transfers = Array.from({ length: 300 }, async (_, index) => {
      const [from, to] = index % 2 === 0 ? ['payer', 'payee'] : ['payee', 'payer'];
      const opening = openingOf(tenant, { transferId: randomUUID(), from, to, amountMinor: 1n });
      return insist(() => transferAtOnce({ ...opening, result }));
    });
    const states = (await Promise.all(transfers)).map(({ state }) => state);
    const moved = BigInt(states.filter((state, index) => state === 'ended' && index % 2 === 0).length);
    const back = BigInt(states.filter((state, index) => state === 'ended' && index % 2 === 1).length);
    expect(moved).toBe(150n);
    expect(await balanceOf(tenant, 'payer')).toBe(1_000n - moved + back);
    expect(await crowded.auditAtRest()).toEqual([]);
  });

  it.each([
    { from: 'payer', to: 'payee' },
    { from: 'payee', to: 'payer' },
  ])('lock the account of the lower id first, where $from pays', async (parties) => {
    const patient = connectDatabase({ url: patientUrl(url), poolMax: 2, logger: silentLogger });
    const tenant = await openTenant(database);
    await createTransferRecords(database).transferAtOnce({ ...openingOf(tenant, { transferId: 'before' }), result });
    const lock = await lockAccount(url, { tenant, accountId: 'payee' });
    const late = createTransferRecords(patient).transferAtOnce({ ...openingOf(tenant, parties), result });
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    const free = "select account_id from accounts where tenant = $1 and account_id = 'payer' for update skip locked";
    expect(await database.query(free, [tenant])).toHaveLength(1);
    await lock.release();
    expect(await late).toMatchObject({ state: 'ended' });
    await patient.close();
  });

  it('never take more than there is, however many ask for it at the same time', async () => {
    const { transferAtOnce } = createTransferRecords(database);
    const tenant = await openTenant(database);
    const openings = Array.from({ length: 32 }, () => openingOf(tenant, { transferId: randomUUID() }));
    const answers = await Promise.all(openings.map((opening) => insist(() => transferAtOnce({ ...opening, result }))));
    expect(answers.filter(({ state }) => state === 'ended')).toHaveLength(3);
    expect(await balanceOf(tenant, 'payer')).toBe(100n);
    expect(await crowded.auditAtRest()).toEqual([]);
  });

  it('are waited for by whoever opens the same transfer, and then stand', async () => {
    const patient = connectDatabase({ url: patientUrl(url), poolMax: 2, logger: silentLogger });
    const records = createTransferRecords(patient);
    const tenant = await openTenant(database);
    const opening = openingOf(tenant);
    const lock = await lockAccount(url, { tenant, accountId: 'payee' });
    const late = records.transferAtOnce({ ...opening, result });
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    const opened = records.openTransfer(opening);
    await until(
      () => waitingStatements(url),
      (count) => count === 2,
    );
    await lock.release();
    expect([await late, await opened]).toEqual([1, 2].map(() => ({ state: 'ended', result })));
    expect(await balanceOf(tenant, 'payee')).toBe(300n);
    await patient.close();
  });

  it('move nothing where an account is frozen while they wait for it', async () => {
    const patient = connectDatabase({ url: patientUrl(url), poolMax: 2, logger: silentLogger });
    const tenant = await openTenant(database);
    const opening = openingOf(tenant);
    const freezing = new pg.Client({ connectionString: url });
    await freezing.connect();
    await freezing.query('begin');
    await freezing.query(
      `insert into account_freezes (tenant, account_id, frozen, by_iss, by_sub) values ($1, 'payee', true, 'i', 's')`,
      [tenant],
    );
    const late = createTransferRecords(patient).transferAtOnce({ ...opening, result });
    await until(
      () => waitingStatements(url),
      (count) => count === 1,
    );
    await freezing.query('commit');
    await freezing.end();
    expect(await late).toMatchObject({ state: 'open' });
    expect(await balanceOf(tenant, 'payer')).toBe(1_000n);
    await patient.close();
    expect(await crowded.auditAtRest()).toEqual([]);
  });
});

/** Repeats what may be repeated, as every caller does. A deadlock would be a fault of the ledger, and is not repeated. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isDeadlock =
        error instanceof Problem && error.cause instanceof pg.DatabaseError && error.cause.code === '40P01';
      if (!(error instanceof Problem && error.kind.retryable) || isDeadlock) throw error;
      await sleep(20);
    }
  }
}
