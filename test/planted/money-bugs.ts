import type { PlantedBug } from './planted-bug.ts';

const ledger = 'src/adapters/ledger/ledger.ts';
const phases = 'src/adapters/ledger/phases.ts';
const records = 'src/adapters/ledger/records.ts';
const standing = 'src/adapters/ledger/standing.ts';
const postings = 'src/adapters/ledger/postings.ts';
const database = 'src/database/database.ts';
const atOnceSql = 'src/database/migrations/20261122120000_transfers_at_once.sql';
const transfersSql = 'src/database/migrations/0002_transfers.sql';

const ledgerTest = 'test/adapters/ledger/ledger.test.ts';
const atOnceTest = 'test/adapters/ledger/at-once.test.ts';
const racesTest = 'test/adapters/ledger/records-races.test.ts';
const enforcementTest = 'test/adapters/ledger/enforcement.test.ts';
const recordsTest = 'test/adapters/ledger/records.test.ts';
const databaseTest = 'test/database/database.test.ts';

/** Bugs of the ledger and its database. */
export const moneyBugs: readonly PlantedBug[] = [
  {
    name: 'a phase has no primary key',
    edits: [{ file: transfersSql, find: '  primary key (tenant, transfer_id, phase),\n', put: '' }],
    caughtBy: [enforcementTest, 'money taken by a step that was voided'],
  },
  {
    name: 'a refund leaves no tombstone',
    edits: [
      {
        file: ledger,
        find: "      if (await recordReserve(tx, key, 'voided')) return { kind: 'voided' };\n      const transfer = await findTransfer(tx, key);\n      if (transfer === undefined) return { kind: 'unrecorded' };\n      if (transfer.reserve === 'voided')",
        put: "      const transfer = await findTransfer(tx, key);\n      if (transfer === undefined) return { kind: 'unrecorded' };\n      if (transfer.reserve === null || transfer.reserve === 'voided')",
      },
    ],
    caughtBy: [ledgerTest, 'embedded voided: withdraw'],
  },
  {
    name: 'a withdrawal does not lock its transfer',
    edits: [{ file: ledger, find: 'findTransfer(tx, key, { lock: true })', put: 'findTransfer(tx, key)' }],
    caughtBy: [racesTest, 'waits for a withdrawal that has read'],
  },
  {
    name: 'the end of a transfer does not lock it',
    edits: [
      {
        file: records,
        find: "where tenant = $1 and transfer_id = $2 for update'",
        put: "where tenant = $1 and transfer_id = $2'",
      },
    ],
    caughtBy: [racesTest, 'the end of a transfer'],
  },
  {
    name: 'a refused deposit is not rolled back',
    edits: [
      {
        file: ledger,
        find: "      tx.rollBack();\n      return { kind: 'refused', reason };",
        put: "      return { kind: 'refused', reason };",
      },
    ],
    caughtBy: [ledgerTest, 'embedded withdraws for a frozen payee'],
  },
  {
    name: 'a blocked refund is not rolled back',
    edits: [
      {
        file: ledger,
        find: "      tx.rollBack();\n      return { kind: 'blocked', reason };",
        put: "      return { kind: 'blocked', reason };",
      },
    ],
    caughtBy: [ledgerTest, 'embedded is blocked from refunding'],
  },
  {
    name: 'money is settled to equity',
    edits: [{ file: ledger, find: "to: 'suspense' }", put: "to: 'equity' }" }],
    caughtBy: [ledgerTest, 'embedded reserved: settle'],
  },
  {
    name: 'a rejected withdrawal is refunded',
    edits: [
      {
        file: ledger,
        find: "if (transfer.reserve !== 'reserved') return { kind: 'nothing-reserved' };\n      const before = await resolveAs('refunded'",
        put: "if (transfer.reserve === null) return { kind: 'nothing-reserved' };\n      const before = await resolveAs('refunded'",
      },
    ],
    caughtBy: [ledgerTest, 'embedded rejected: refund'],
  },
  {
    name: 'an ended transfer takes money',
    edits: [{ file: ledger, find: 'transfer.reserve !== null || transfer.is_ended', put: 'transfer.reserve !== null' }],
    caughtBy: [ledgerTest, 'embedded takes no money for a transfer that has ended'],
  },
  {
    name: 'a payer gives one unit more than it has',
    edits: [
      { file: postings, find: 'and balance_minor + $5::bigint >= 0', put: 'and balance_minor + $5::bigint >= -1' },
    ],
    caughtBy: [ledgerTest, 'embedded rejects a withdrawal for good when the payer has one unit too little'],
  },
  {
    name: 'a frozen account moves money',
    edits: [{ file: postings, find: " and kind = 'customer' and not frozen", put: " and kind = 'customer'" }],
    caughtBy: [ledgerTest, 'embedded rejects a withdrawal for good when the payer is frozen'],
  },
  {
    name: 'a reserve phase has no check of the row it points at',
    edits: [
      {
        file: transfersSql,
        find: "case phase when 'resolve' then 'reserved' end",
        put: "case phase when 'never' then 'reserved' end",
      },
    ],
    caughtBy: [ledgerTest, 'embedded refuses, in the database itself'],
  },
  {
    name: 'a transfer may end while its money is in clearing',
    edits: [
      {
        file: standing,
        find: "  if (reserve === 'reserved' && resolve === null) return 'reserved';\n",
        put: '',
      },
    ],
    caughtBy: [recordsTest, 'transfer records on embedded'],
  },
  {
    name: 'a conflict of payloads is not seen by the ledger',
    edits: [{ file: records, find: "if (!isSame(row, opening)) return { state: 'conflict' };", put: '' }],
    caughtBy: [recordsTest, 'transfer records on embedded'],
  },
  {
    name: 'a transfer at once locks the payer before the payee, whatever their ids',
    edits: [{ file: atOnceSql, find: 'order by account_id for', put: 'order by account_id = of_payer desc for' }],
    caughtBy: ['test/adapters/ledger/at-once-races.test.ts', 'lock the account of the lower id first'],
  },
  {
    name: 'a transfer at once asks for no approval',
    edits: [{ file: atOnceSql, find: 'if found and not needs_approval then', put: 'if found then' }],
    caughtBy: [atOnceTest, 'embedded is only opened where a second person'],
  },
  {
    name: 'a transfer at once does not look at what the payer has',
    edits: [{ file: atOnceSql, find: ' and (account_id = of_payee or balance_minor >= of_amount)', put: '' }],
    caughtBy: [atOnceTest, 'is only opened where .*the payer has too little'],
  },
  {
    name: 'a COMMIT that is answered by ROLLBACK counts',
    edits: [{ file: database, find: "if (command !== 'COMMIT') throw", put: "if (command === 'NEVER') throw" }],
    caughtBy: [databaseTest, 'embedded.* rejects when the work hides a failed statement'],
  },
  {
    name: 'a lock that was held too long is no transient failure',
    edits: [{ file: 'src/database/failures.ts', find: "  '55P03', // lock_not_available, by lock_timeout\n", put: '' }],
    caughtBy: ['test/database/failures.test.ts', '55P03'],
  },
  {
    name: 'a transaction has no limit',
    edits: [
      {
        file: database,
        find: 'await within(transactionLimitMs, runTransaction(client, work), { unknownEffect: true })',
        put: 'await runTransaction(client, work)',
      },
    ],
    caughtBy: [databaseTest, 'embedded.* gives up a transaction that never ends'],
    hangs: true,
  },
  {
    name: 'a stalled transaction is never cut',
    edits: [{ file: database, find: '    idle_in_transaction_session_timeout: 5_000,\n', put: '' }],
    caughtBy: [databaseTest, 'cuts a transaction that stalls'],
    hangs: true,
  },
  {
    name: 'a phase is read without its transfer',
    edits: [
      {
        file: phases,
        find: "(t.tenant, t.transfer_id, 'resolve')",
        put: "(t.tenant, t.transfer_id, 'reserve')",
      },
    ],
    caughtBy: [ledgerTest, 'embedded posted: '],
  },
];
