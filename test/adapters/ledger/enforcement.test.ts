import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { grants } from '../../../src/adapters/index.ts';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { migrate } from '../../../src/database/migrate.ts';
import { Problem } from '../../../src/problems.ts';
import { openTenant, openTransfer, operator } from '../../fixtures/opened-transfer.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { withClient } from '../../servers/postgres.ts';

const phase = (transfer: string, name: string, outcome: string) =>
  `insert into transfer_phases (tenant, transfer_id, phase, outcome) values ($1, '${transfer}', '${name}', '${outcome}')`;

const posting = (id: string, ...legs: readonly (readonly [account: string, amount: number])[]) =>
  `insert into entries (tenant, posting_id, account_id, currency, amount_minor) values ${legs
    .map(([account, amount]) => `($1, '${id}', '${account}', 'EUR', ${amount})`)
    .join(', ')}`;

const account = (columns: string, values: string) =>
  `insert into accounts (tenant, account_id, currency, kind, ${columns}) values ($1, 'new', 'EUR', 'customer', ${values})`;

const end = (transfer: string, outcome: string, reason?: string) =>
  `update transfers set outcome = '${outcome}', ended_at = now(),
     result = '${JSON.stringify({ outcome, reason })}' where tenant = $1 and transfer_id = '${transfer}'`;

const transferRow = (columns: string, values: string) =>
  `insert into transfers (tenant, transfer_id, payer_id, payee_id, currency, amount_minor, started_by_iss,
     started_by_sub, fingerprint, approval_required, ${columns})
   values ($1, 'new', 'payer', 'payee', 'EUR', 300, 'i', 's', 'f1.aa', true, ${values})`;

/** A table of the session's own, which a search by name finds first, by functions that have not searched before. */
const forged = (table: string) =>
  `discard plans; create temp table ${table} (like public.${table} including defaults including identity) on commit drop`;

const taken = [['payer', -300] as const, ['~clearing:EUR', 300] as const];
const reserved = [phase('open', 'reserve', 'reserved'), posting('transfer/open/reserve', ...taken)];

/** What a defect, a console or a second writer would do, each in one transaction. None may commit. */
const plants: Readonly<Record<string, readonly string[]>> = {
  'an account that begins with a balance': [account('balance_minor', '5')],
  'a balance that moves without entries': ["update accounts set balance_minor = 1001 where account_id = 'payer'"],
  'an opening balance without its posting': [account('balance_minor, opening_balance_minor', '0, 5')],
  'an opening posting of another amount': [
    account('balance_minor, opening_balance_minor', '0, 5'),
    posting('account/new/opening', ['~equity:EUR', -6], ['new', 6]),
  ],
  'an opening posting from clearing': [
    account('balance_minor, opening_balance_minor', '0, 5'),
    posting('account/new/opening', ['~clearing:EUR', -5], ['new', 5]),
  ],
  'an opening posting of an account that opened without': [
    posting('account/third/opening', ['~equity:EUR', -5], ['third', 5]),
  ],
  'money taken, without its posting': [phase('open', 'reserve', 'reserved')],
  'a transfer that completes without any posting': [
    phase('open', 'reserve', 'reserved'),
    phase('open', 'resolve', 'posted'),
    end('open', 'completed'),
  ],
  'an end by phases of a temporary table': [
    forged('transfer_phases'),
    phase('open', 'reserve', 'reserved'),
    phase('open', 'resolve', 'posted'),
    end('open', 'completed'),
  ],
  'money taken, with its posting in a temporary table': [
    forged('entries'),
    posting('transfer/open/reserve', ...taken),
    phase('open', 'reserve', 'reserved'),
  ],
  'an approval in a temporary table': [
    forged('transfers'),
    `insert into transfers select (jsonb_populate_record(t, '{"approved_at":"2026-01-01T00:00:00Z"}')).*
     from public.transfers t where tenant = $1`,
    phase('unapproved', 'reserve', 'reserved'),
    posting('transfer/unapproved/reserve', ...taken),
  ],
  'money delivered, without its posting': [...reserved, phase('open', 'resolve', 'posted')],
  'money taken of another amount': [
    phase('open', 'reserve', 'reserved'),
    posting('transfer/open/reserve', ['payer', -299], ['~clearing:EUR', 299]),
  ],
  'money taken from another account': [
    phase('open', 'reserve', 'reserved'),
    posting('transfer/open/reserve', ['third', -300], ['~clearing:EUR', 300]),
  ],
  'money taken into suspense': [
    phase('open', 'reserve', 'reserved'),
    posting('transfer/open/reserve', ['payer', -300], ['~suspense:EUR', 300]),
  ],
  'money delivered to another account': [
    ...reserved,
    phase('open', 'resolve', 'posted'),
    posting('transfer/open/resolve', ['~clearing:EUR', -300], ['third', 300]),
  ],
  'money refunded to the payee': [
    ...reserved,
    phase('open', 'resolve', 'refunded'),
    posting('transfer/open/resolve', ['~clearing:EUR', -300], ['payee', 300]),
  ],
  'money settled into equity': [
    ...reserved,
    phase('open', 'resolve', 'settled'),
    posting('transfer/open/resolve', ['~clearing:EUR', -300], ['~equity:EUR', 300]),
  ],
  'a posting without its phase': [posting('transfer/open/reserve', ...taken)],
  'a posting of a phase that was voided': [
    phase('open', 'reserve', 'voided'),
    posting('transfer/open/reserve', ...taken),
  ],
  'a posting of a transfer that is not there': [posting('transfer/absent/reserve', ...taken)],
  'a posting that belongs to nothing': [posting('adjustment/1', ['third', 5], ['~equity:EUR', -5])],
  'a posting with more accounts than two': [
    phase('open', 'reserve', 'reserved'),
    posting('transfer/open/reserve', ...taken, ['third', 5], ['~equity:EUR', -5]),
  ],
  'money taken by a step that was voided': [phase('open', 'reserve', 'voided'), ...reserved],
  'money delivered and refunded': [
    ...reserved,
    phase('open', 'resolve', 'posted'),
    phase('open', 'resolve', 'refunded'),
    posting('transfer/open/resolve', ['~clearing:EUR', -300], ['payee', 300]),
  ],
  'money taken that is called rejected': [
    ...reserved,
    `update transfer_phases set outcome = 'rejected', reason = 'insufficient-funds'
     where tenant = $1 and transfer_id = 'open'`,
  ],
  'money taken without the approval that is required': [
    phase('unapproved', 'reserve', 'reserved'),
    posting('transfer/unapproved/reserve', ...taken),
  ],
  'money taken for a transfer that has ended': [
    end('open', 'expired'),
    phase('open', 'reserve', 'reserved'),
    posting('transfer/open/reserve', ...taken),
  ],
  'an end as declined, after money had moved': [end('refunded', 'rejected', 'declined')],
  'an end as expired, after money had moved': [end('refunded', 'expired')],
  'an end for a reason that the ledger did not give': [end('open', 'rejected', 'insufficient-funds')],
  'a transfer that begins with its end': [
    transferRow('outcome, result, ended_at', `'expired', '{"outcome":"expired"}', now()`),
  ],
  'a transfer that begins approved': [transferRow('approved_by_iss, approved_by_sub, approved_at', `'i', 'b', now()`)],
  'an account that begins frozen': [account('balance_minor, frozen', '0, true')],
  'an account that nobody froze': ["update accounts set frozen = true where account_id = 'third'"],
  'an entry on a frozen account': [
    phase('of-frozen', 'reserve', 'reserved'),
    posting('transfer/of-frozen/reserve', ['frozen', -300], ['~clearing:EUR', 300]),
  ],
  'another who': ["update account_freezes set by_sub = 'nobody'"],
  'a freeze forgotten': ['delete from account_freezes'],
};

describe.each(databaseKinds)('the database %s', (kind) => {
  let test: TestDatabase;
  let program: Database;
  let tenant: string;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    program = kind === 'embedded' ? test.database : await connectAsProgram(test);
  });
  afterAll(async () => {
    if (program !== test.database) await program.close();
    await test.close();
  });
  beforeEach(async () => {
    tenant = await openTenant(program);
    const accounts = createAccounts(program);
    for (const accountId of ['third', 'frozen'])
      await accounts.openAccount({ tenant, accountId, currency: 'EUR', openingBalanceMinor: 0n });
    await accounts.freezeAccount({ tenant, accountId: 'frozen', by: operator });
    for (const [transferId, facts] of Object.entries({
      open: {},
      'of-frozen': { from: 'frozen' },
      unapproved: { approvalRequired: true },
      refunded: {},
    }))
      await openTransfer(program, tenant, { transferId, ...facts });
    const ledger = createLedger(program);
    await ledger.withdraw({ tenant, transferId: 'refunded' });
    await ledger.refund({ tenant, transferId: 'refunded' });
  });

  const plant = (statements: readonly string[]) =>
    program.transaction(async (tx) => {
      for (const each of statements) await tx.query(each, each.includes('$1') ? [tenant] : []);
    });

  it.each(Object.keys(plants))('refuses %s', async (name) => {
    const failed = await plant(plants[name] ?? []).catch((error: unknown) => error);
    // A check, a row that is there, a row that is permanent, or a right that the program's role does not have: workers wait for a right.
    expect(failed instanceof Problem ? failed.options.cause : failed).toMatchObject({
      code: expect.stringMatching(/^(23505|23514|23001|42501)$/),
    });
  });

  it('accepts the same steps where they are true', async () => {
    await plant([
      ...reserved,
      phase('open', 'resolve', 'posted'),
      posting('transfer/open/resolve', ['~clearing:EUR', -300], ['payee', 300]),
      end('open', 'completed'),
      account('balance_minor, opening_balance_minor', '0, 5'),
      posting('account/new/opening', ['~equity:EUR', -5], ['new', 5]),
      end('unapproved', 'rejected', 'declined'),
      end('refunded', 'cancelled'),
    ]);
    const balances = await program.query<{ account_id: string; balance_minor: bigint }>(
      "select account_id, balance_minor from accounts where tenant = $1 and kind = 'customer' order by 1",
      [tenant],
    );
    expect(balances.map((row) => [row.account_id, row.balance_minor])).toEqual([
      ['frozen', 0n],
      ['new', 5n],
      ['payee', 300n],
      ['payer', 700n],
      ['third', 0n],
    ]);
  });

  it('moves each balance by all entries of a statement that books several postings', async () => {
    await openTransfer(program, tenant, { transferId: 'other', amountMinor: 100n });
    await plant([
      phase('open', 'reserve', 'reserved'),
      phase('other', 'reserve', 'reserved'),
      `${posting('transfer/open/reserve', ...taken)},
        ($1, 'transfer/other/reserve', 'payer', 'EUR', -100), ($1, 'transfer/other/reserve', '~clearing:EUR', 'EUR', 100)`,
    ]);
    expect((await createAccounts(program).findAccount({ tenant, accountId: 'payer' }))?.balanceMinor).toBe(600n);
  });

  it('completes no transfer without its approval, also where its money moved before approvals were looked at', async () => {
    const key = { tenant, transferId: 'unapproved' };
    const unguarded = [
      "set session_replication_role = 'replica'",
      phase('unapproved', 'reserve', 'reserved').replace('$1', `'${tenant}'`),
      phase('unapproved', 'resolve', 'posted').replace('$1', `'${tenant}'`),
      "set session_replication_role = 'origin'",
    ].join('; ');
    await test.database.query(unguarded);
    const completed = createTransferRecords(program).endTransfer({ ...key, result: { outcome: 'completed' } });
    await expect(completed).rejects.toThrow('without its approval');
  });

  it('takes no money without the approval that is required, and takes it after', async () => {
    const key = { tenant, transferId: 'unapproved' };
    const ledger = createLedger(program);
    await expect(ledger.withdraw(key)).rejects.toThrow('needs an approval');
    await createTransferRecords(program).recordApproval({ ...key, by: operator });
    expect(await ledger.withdraw(key)).toEqual({ kind: 'reserved' });
  });

  it.each(['rejected', 'expired'])('lets refunded money end compensated, not %s', async (outcome) => {
    const key = { tenant, transferId: 'refunded' };
    const records = createTransferRecords(program);
    const result = outcome === 'rejected' ? { outcome, reason: 'declined' } : { outcome };
    // The saga refunds what was reserved, and learns that the money is back.
    expect(await records.endTransfer({ ...key, result })).toEqual({ money: 'reserved' });
    expect(await createLedger(program).refund(key)).toEqual({ kind: 'refunded' });
    const compensated = { outcome: 'compensated', reason: 'withdrawal-undone' };
    expect(await records.endTransfer({ ...key, result: compensated })).toEqual(compensated);
  });
});

/** Grants the program's role what the adapters declare, and connects as it. */
async function connectAsProgram({ url }: TestDatabase): Promise<Database> {
  await withClient(url, (client) => client.query('create role program login'));
  await migrate({ ownerUrl: url, program: { role: 'program', grants }, logger: silentLogger });
  return connectDatabase({ url: url.replace('postgres@', 'program@'), poolMax: 2, logger: silentLogger });
}
