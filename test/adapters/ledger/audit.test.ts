import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger, type Ledger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords, type TransferRecords } from '../../../src/adapters/ledger/records.ts';
import { openTenant, openTransfer, operator } from '../../fixtures/opened-transfer.ts';
import { audit } from '../../harness/audit.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason, withClient } from '../../servers/postgres.ts';

/** What becomes of money, and the steps that lead there. */
const ways = {
  opened: [],
  reserved: ['withdraw'],
  posted: ['withdraw', 'deposit'],
  refunded: ['withdraw', 'refund'],
  settled: ['withdraw', 'settle'],
} as const;
type State = keyof typeof ways;

// In the statements below, $1 stands for the tenant and $2 for a transfer.
const book = (id: string, giver: string, taker: string, amount = 100) =>
  `insert into entries (tenant, posting_id, account_id, currency, amount_minor)
   values ('$1', '${id}', '${giver}', 'EUR', -${amount}), ('$1', '${id}', '${taker}', 'EUR', ${amount})`;

const end = (outcome: string) =>
  `update transfers set outcome = '${outcome}', result = '{"outcome":"${outcome}"}', ended_at = now()
   where tenant = '$1' and transfer_id = '$2'`;

const needApproval = "update transfers set approval_required = true where tenant = '$1' and transfer_id = '$2'";

/** A state of a transfer, what the triggers would refuse there, and what the auditor says to it. */
const plants: readonly (readonly [what: string, of: State, says: string, ...statements: string[]])[] = [
  ['stray money in clearing', 'opened', 'clearing has other money', book('stray', '~equity:EUR', '~clearing:EUR')],
  ['a posting of nothing', 'opened', 'a posting belongs to nothing', book('stray', '~equity:EUR', '~suspense:EUR')],
  [
    'a posting of a phase that was never reached',
    'opened',
    'a posting belongs to nothing',
    book('transfer/$2/reserve', '~equity:EUR', '~suspense:EUR'),
  ],
  [
    'a release of a transfer that was not settled',
    'posted',
    'a posting belongs to nothing',
    book('transfer/$2/release', '~suspense:EUR', '~equity:EUR', 300),
  ],
  [
    'a release of another amount',
    'settled',
    'a posting belongs to nothing',
    book('transfer/$2/release', '~suspense:EUR', 'payee', 299),
    "update accounts set balance_minor = balance_minor + 299 where tenant = '$1' and account_id = 'payee'",
  ],
  [
    'an opening balance without its posting',
    'opened',
    'an opening balance has no posting',
    "update accounts set opening_balance_minor = 5 where tenant = '$1' and account_id = 'payee'",
  ],
  [
    'an opening posting of another amount',
    'opened',
    'a posting belongs to nothing',
    "update accounts set opening_balance_minor = 999 where tenant = '$1' and account_id = 'payer'",
  ],
  [
    'an account that nobody unfroze',
    'opened',
    'frozen otherwise than its newest row',
    "update accounts set frozen = false where tenant = '$1' and account_id = 'frozen'",
  ],
  ['money taken without its approval', 'reserved', 'open and reserved, but nobody approved', needApproval],
  [
    'an end without its approval',
    'posted',
    'completed and posted, but nobody approved',
    needApproval,
    end('completed'),
  ],
  ['an end as rejected after money moved', 'refunded', 'ended rejected, but refunded', end('rejected')],
  ['an end as expired after money moved', 'refunded', 'ended expired, but refunded', end('expired')],
  ['an end while money is in clearing', 'reserved', 'ended cancelled, but reserved', end('cancelled')],
  ['an end as settled of delivered money', 'posted', 'ended settled, but posted', end('settled')],
  ['an end as cancelled of settled money', 'settled', 'ended cancelled, but settled', end('cancelled')],
  ['an end as settled of returned money', 'refunded', 'ended settled, but refunded', end('settled')],
];

describe.skipIf(postgresSkipReason() !== undefined)('the auditor', () => {
  let test: TestDatabase;
  let ledger: Ledger;
  let records: TransferRecords;
  let tenant: string;
  let idOf: (state: State) => string;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
    ledger = createLedger(test.database);
    records = createTransferRecords(test.database);
  });
  afterAll(() => test.close());

  beforeEach(async () => {
    tenant = await openTenant(test.database);
    const { openAccount, freezeAccount } = createAccounts(test.database);
    await openAccount({ tenant, accountId: 'rich', currency: 'EUR', openingBalanceMinor: 10_000n });
    await openAccount({ tenant, accountId: 'frozen', currency: 'EUR', openingBalanceMinor: 0n });
    await freezeAccount({ tenant, accountId: 'frozen', by: operator });
    const run = randomUUID();
    idOf = (state) => `${state}-${run}`;
    for (const state of ['opened', 'reserved', 'posted', 'refunded', 'settled'] as const) {
      const key = await openTransfer(test.database, tenant, { transferId: idOf(state), from: 'rich' });
      for (const step of ways[state]) await ledger[step](key);
    }
  });

  const look = ({ atRest }: { atRest: boolean }) => withClient(test.url, (client) => audit(client, { atRest }));

  /** Writes past every trigger and foreign key, and answers what the auditor sees that it did not see before. */
  async function findingsOf(state: State, statements: readonly string[]): Promise<string[]> {
    const before = new Set(await look({ atRest: false }));
    await withClient(test.url, async (client) => {
      await client.query("set session_replication_role = 'replica'");
      for (const each of statements) await client.query(each.replaceAll('$1', tenant).replaceAll('$2', idOf(state)));
    });
    return (await look({ atRest: false })).filter((finding) => !before.has(finding));
  }

  const cases = plants.map(([what, state, says, ...statements]) => ({ what, state, says, statements }));
  it.each(cases)('reports $what', async ({ state, says, statements }) => {
    expect(await findingsOf(state, statements)).toContainEqual(expect.stringContaining(says));
  });

  it('finds nothing where all is well, also after every end and a release of settled money', async () => {
    const before = await look({ atRest: false });
    const of = (state: State) => ({ tenant, transferId: idOf(state) });
    await records.endTransfer({ ...of('opened'), result: { outcome: 'rejected', reason: 'declined' } });
    await records.endTransfer({ ...of('posted'), result: { outcome: 'completed' } });
    await records.endTransfer({ ...of('refunded'), result: { outcome: 'cancelled' } });
    await records.endTransfer({ ...of('settled'), result: { outcome: 'settled' } });
    const release = [
      book('transfer/$2/release', '~suspense:EUR', 'payee', 300),
      "update accounts set balance_minor = balance_minor + 300 where tenant = '$1' and account_id = 'payee'",
    ];
    expect(await findingsOf('settled', release)).toEqual([]);
    expect(await look({ atRest: false })).toEqual(before);
  });

  it('reports money that is left in clearing at rest', async () => {
    expect(await look({ atRest: true })).toContainEqual(`${idOf('reserved')}: money is left in clearing`);
  });
});
